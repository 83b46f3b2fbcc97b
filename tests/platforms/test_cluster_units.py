"""Units of a cluster paused, killed and counted: real processes in a made-up tree of control groups, the test being the kubelet."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Plan, Ready, Unit
from harness.model.program import Program
from harness.platforms.cgroup_tree import Tree
from harness.platforms.cluster_disturbed import ClusterUnits
from harness.platforms.container_ops import operations
from tests.platforms import nodes

pytestmark = pytest.mark.system

NS = 1_000_000_000
SERVES = (
    "import socket, sys\n"
    "server = socket.create_server(('127.0.0.1', 0))\n"
    "print(server.getsockname()[1], flush=True)\n"
    "kept = [server.accept() for _ in range(9)]\n"
)
FIRST, SECOND, PAUSE = map(nodes.identifier, (1, 2, 3))


class Node:
    """A node with one pod: its pause container, and a unit's, of which each life is a process."""

    def __init__(self, root: Path, build: Callable[..., Path]) -> None:
        self._root = root
        self._build = build
        self.processes: list[subprocess.Popen[str]] = []
        self.answers = operations(Tree(root))
        self.asked: list[str] = []
        self._put(PAUSE, self._process("import time; time.sleep(600)").pid)
        self.port = self.start(FIRST)

    def start(self, container: str) -> int:
        process = self._process(SERVES)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        self._put(container, process.pid)
        return port

    def start_early(self, container: str) -> None:
        """Seen by the agent before it serves."""
        self._put(container, self._process(SERVES).pid)

    def ask(self, op: str, *, within_s: float = 10.0, **arguments: Any) -> Any:
        self.asked.append(op)
        try:
            return self.answers[op](arguments)
        except (OSError, LookupError, ValueError) as error:
            raise EnvironmentFailure(f"{op}: {error}") from error

    def _process(self, code: str) -> subprocess.Popen[str]:
        self.processes.append(subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, text=True))
        return self.processes[-1]

    def _put(self, container: str, pid: int) -> None:
        """As the kernel does, the group appears with its process in it."""
        folder = nodes.by_systemd("burstable", container)
        self._build(self._root, folder, (pid,))

    def close(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()


@pytest.fixture(params=[nodes.version_1, nodes.version_2], ids=["v1", "v2"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    with closing(Node(tmp_path, request.param)) as node:
        yield node


def units_of(node: Node, ready: Callable[[str], bool] = lambda _unit: True) -> ClusterUnits:
    unit = Unit("b-0", "app", "b-0", Program("b", module="b"), ports=(node.port,), ready=Ready(node.port))
    return ClusterUnits(Plan((unit,), "b-0"), {"b-0": FIRST}, lambda _unit: node, ready, lambda: None)


def wait_until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up


def test_a_paused_unit_goes_on_by_itself(node: Node) -> None:
    units = units_of(node)
    paused_ns = units.pause("b-0", 0.2)
    wait_until(lambda: units.stopped("b-0"))
    wait_until(lambda: not units.stopped("b-0"))
    assert 0.19 * NS <= units.resume("b-0") - paused_ns < 5 * NS


def test_a_paused_unit_stands_still_until_the_pause_is_ended(node: Node) -> None:
    units = units_of(node)
    paused_ns = units.pause("b-0", 600.0)
    wait_until(lambda: units.stopped("b-0"))
    resumed_ns = units.resume("b-0")
    assert resumed_ns - paused_ns < 60 * NS
    assert units.resume("b-0") == resumed_ns
    wait_until(lambda: not units.stopped("b-0"))


def test_undo_ends_pauses(node: Node) -> None:
    units = units_of(node)
    units.pause("b-0", 600.0)
    units.undo()
    wait_until(lambda: not units.stopped("b-0"))


def test_a_killed_unit_is_gone_with_its_connections(node: Node) -> None:
    units = units_of(node)
    with socket.create_connection(("127.0.0.1", node.port)):
        wait_until(lambda: units.connections("b-0") == 1)
        killed_ns = units.kill("b-0", 0.0)
        assert units.connections("b-0") == 0
    node.start(SECOND)
    started_ns, ready_ns = units.restart("b-0")
    assert killed_ns < started_ns <= ready_ns


def test_what_the_kubelet_starts_too_early_is_held_back(node: Node) -> None:
    units = units_of(node)
    killed_ns = units.kill("b-0", 0.6)
    node.start_early(SECOND)
    started_ns, _ = units.restart("b-0")
    assert started_ns - killed_ns >= 0.6 * NS
    wait_until(lambda: not units.stopped("b-0"))


def test_counters_go_on_in_the_next_life(node: Node) -> None:
    units = units_of(node)
    before = units.usage("b-0", memory=True)
    assert before.pss_bytes > 0
    assert before.working_set_bytes == 12_120_064 - 8_192
    units.kill("b-0", 0.0)
    away = units.usage("b-0", memory=True)
    assert (away.cpu_ns, away.pss_bytes, away.working_set_bytes) == (before.cpu_ns, 0, 0)
    node.start(SECOND)
    units.restart("b-0")
    again = units.usage("b-0", memory=False)
    assert (again.cpu_ns, again.throttled_periods, again.oom_kills) == (2 * before.cpu_ns, 26, 4)
    assert again.at_ns > away.at_ns > before.at_ns


def test_units_are_read_together_and_each_reading_is_given_out_once(node: Node) -> None:
    other = Unit("c-0", "app", "c-0", Program("c", module="c"))
    units = ClusterUnits(
        Plan((other,), "c-0"),
        {"b-0": FIRST, "c-0": PAUSE},
        lambda _unit: node,
        lambda _unit: True,
        lambda: None,
        fresh_ns=600 * NS,
    )
    first = units.usage("b-0", memory=False)
    asked = len(node.asked)
    units.usage("c-0", memory=False)
    assert len(node.asked) == asked
    assert units.usage("b-0", memory=False).at_ns > first.at_ns


def test_away_is_only_a_unit_that_was_killed_and_is_not_back(node: Node) -> None:
    units = units_of(node)
    assert units.away == set()
    units.kill("b-0", 0.0)
    assert units.away == {"b-0"}
    node.start(SECOND)
    units.restart("b-0")
    assert units.away == set()


def test_who_counts_restarts_is_told_of_a_kill(node: Node) -> None:
    told: list[str] = []
    unit = Unit("b-0", "app", "b-0", Program("b", module="b"))
    units = ClusterUnits(
        Plan((unit,), "b-0"), {"b-0": FIRST}, lambda _unit: node, lambda _unit: True, lambda: None, told.append
    )
    units.pause("b-0", 0.0)
    assert told == []
    units.kill("b-0", 0.0)
    assert told == ["b-0"]
    node.start(SECOND)
    units.restart("b-0")


def test_a_unit_that_ended_by_itself_is_no_number(node: Node) -> None:
    units = units_of(node)
    units.usage("b-0", memory=False)
    node.processes[-1].kill()
    folder = Tree(node._root).folder(FIRST)
    folder.rename(folder.with_name("gone"))
    with pytest.raises(EnvironmentFailure, match="has ended"):
        units.usage("b-0", memory=False)


def test_shares_are_of_the_whole_node_and_of_its_pods(node: Node, tmp_path: Path) -> None:
    pods = Tree(tmp_path).pods(FIRST)
    for each, usec in ((Tree(tmp_path).node(FIRST), 500), (pods, 300)):
        (each / "cpu.stat").write_text(f"usage_usec {usec}\n")
    _, node_ns, pods_ns = units_of(node).shares("b-0")
    assert (node_ns, pods_ns) == (500_000, 300_000)


def test_the_life_after_one_that_was_not_killed_here_is_unknown(node: Node) -> None:
    with pytest.raises(EnvironmentFailure, match="wasn't killed by this agent"):
        units_of(node).restart("b-0")
