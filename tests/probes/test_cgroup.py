"""Quotas and limits of cgroups, both versions, from trees of files that are made up."""

from pathlib import Path

import pytest

from harness.probes.cgroup import memory_limit_bytes, quota_cpus

V2 = "0::/a/b\n"
V1 = "4:memory:/c\n3:cpu,cpuacct:/a/b\n2:cpuset:/\n1:name=systemd:/x\n0::/\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, None),
        ({"a/b/cpu.max": "max 100000"}, None),
        ({"a/b/cpu.max": "150000 100000"}, 1.5),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
        ({"a/b/cpu.max": "300000 100000", "a/cpu.max": "200000 100000", "cpu.max": "400000 100000"}, 2.0),
        ({"cpu.max": "200000 100000"}, 2.0),
        ({"other/cpu.max": "10000 100000"}, None),
        ({"a/b/cpu.max": "100000 0"}, None),
    ],
)
def test_the_least_quota_on_the_way_up(tmp_path: Path, files: dict[str, str], cpus: float | None) -> None:
    assert quota_cpus(write(tmp_path, files), V2) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", None), ("250000", 2.5)])
def test_version_1_has_a_hierarchy_for_each_controller(tmp_path: Path, quota: str, cpus: float | None) -> None:
    folder = "cpu,cpuacct/a/b"
    files = {f"{folder}/cpu.cfs_quota_us": quota, f"{folder}/cpu.cfs_period_us": "100000"}
    assert quota_cpus(write(tmp_path, files), V1) == cpus


def test_memory_has_its_own_limit(tmp_path: Path) -> None:
    assert memory_limit_bytes(tmp_path, V2) is None
    write(tmp_path, {"a/b/memory.max": "max", "a/memory.max": "2147483648"})
    assert memory_limit_bytes(tmp_path, V2) == 2 << 30
    write(tmp_path, {"memory/c/memory.limit_in_bytes": "536870912", "memory/memory.limit_in_bytes": str(2**63 - 4096)})
    assert memory_limit_bytes(tmp_path, V1) == 512 << 20


def test_of_this_process_something_can_be_read() -> None:
    assert quota_cpus() is None or quota_cpus() > 0  # type: ignore[operator] # two readings
    assert memory_limit_bytes() is None or memory_limit_bytes() > 0  # type: ignore[operator] # two readings
