"""Which topologies one machine can run: said before anything starts."""

from pathlib import Path

import pytest

from harness.model.errors import UsageError
from harness.topologies import MAX_PROCESSES, find_topology, runnable_topology


@pytest.mark.parametrize("replicas", [MAX_PROCESSES - 1, MAX_PROCESSES])
def test_a_topology_for_more_processes_than_a_run_has_addresses_is_read_but_not_run(
    tmp_path: Path, replicas: int
) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(f"name: many\nentry: a\nservices:\n  a: {{calls: [b]}}\n  b: {{replicas: {replicas}}}")
    assert find_topology(str(path)).service("b").replicas == replicas
    if replicas + 1 <= MAX_PROCESSES:
        assert runnable_topology(str(path)) == find_topology(str(path))
        return
    with pytest.raises(
        UsageError, match=r"topology many: its 2 services have 251 replicas, .*: one machine carries 250; use fewer"
    ):
        runnable_topology(str(path))
