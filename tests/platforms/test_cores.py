"""Which CPUs share a core."""

from pathlib import Path

import pytest

from harness.platforms import cores


def test_threads_of_a_core_have_it_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "CPUS", tmp_path)
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{siblings}\n")

    assert [cores.core_of(cpu) for cpu in range(4)] == ["0,2", "1,3", "0,2", "1,3"]


def test_a_kernel_that_does_not_tell_makes_every_cpu_a_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "CPUS", tmp_path)

    assert cores.core_of(0) != cores.core_of(1)
