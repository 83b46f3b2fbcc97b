"""CPU, throttling, memory and kills of a control group, from the files of both versions."""

from pathlib import Path

import pytest

from harness.platforms.cgroup_files import Cpu, Memory, cpu, memory, read_cpu, read_memory
from tests.platforms import nodes


def test_version_1_counts_in_nanoseconds() -> None:
    assert cpu("186374888\n", nodes.V1_CPU) == Cpu(186_374_888, 29, 13, 945_305_136)


def test_version_2_counts_in_microseconds() -> None:
    assert cpu(nodes.V2_CPU, nodes.V2_CPU) == Cpu(186_374_000, 29, 13, 945_305_000)


def test_a_group_without_a_quota_has_no_periods() -> None:
    assert cpu("usage_usec 7\n", "usage_usec 7\n") == Cpu(7_000, 0, 0, 0)


def test_no_cpu_time_is_not_taken_for_zero() -> None:
    with pytest.raises(ValueError, match=r"neither cpuacct\.usage nor usage_usec"):
        cpu("nr_periods 1\n", "nr_periods 1\n")


@pytest.mark.parametrize(("stat", "events"), [(nodes.V1_MEMORY, nodes.V1_OOM), (nodes.V2_MEMORY, nodes.V2_OOM)])
def test_the_working_set_leaves_out_pages_of_files_that_nobody_uses(stat: str, events: str) -> None:
    assert memory("12120064\n", stat, "67108864\n", events) == Memory(12_120_064 - 8_192, 64 << 20, 2)


@pytest.mark.parametrize("none", ["max\n", f"{2**63 - 4096}\n", ""])
def test_no_limit_is_none(none: str) -> None:
    assert memory("1\n", "", none, "").limit_bytes is None


def test_a_working_set_is_never_below_zero() -> None:
    assert memory("100\n", "inactive_file 4096\n", "max", "").working_set_bytes == 0


def test_files_of_either_version_give_the_same(tmp_path: Path) -> None:
    one = nodes.version_1(tmp_path / "1", "a")
    two = nodes.version_2(tmp_path / "2", "a")
    old, new = read_cpu(one, tmp_path / "1/cpu/a"), read_cpu(two, two)
    assert (old.used_ns // 1000, old.periods, old.throttled_periods) == (new.used_ns // 1000, 29, 13)
    assert read_memory(tmp_path / "1/memory/a") == read_memory(two)


def test_a_group_that_is_gone_is_no_zero(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_cpu(tmp_path / "gone", tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        read_memory(tmp_path / "gone")
