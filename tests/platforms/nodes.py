"""Trees of control groups as nodes have them, in a folder: recorded from a kind node (version 1), and as version 2 lays them out."""

from collections.abc import Iterable
from pathlib import Path

POD = "72122248_473e_48cd_9618_7cd0bfc617ac"
V1_CPU = "nr_periods 29\nnr_throttled 13\nthrottled_time 945305136\nnr_bursts 0\nburst_time 0\n"
V1_MEMORY = "inactive_file 4096\nactive_file 0\nhierarchical_memory_limit 67108864\ntotal_inactive_file 8192\n"
V1_OOM = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
V2_CPU = (
    "usage_usec 186374\nuser_usec 150000\nsystem_usec 36374\ncore_sched.force_idle_usec 0\n"
    "nr_periods 29\nnr_throttled 13\nthrottled_usec 945305\nnr_bursts 0\nburst_usec 0\n"
)
V2_MEMORY = "anon 7000000\nfile 9000\nkernel 40000\ninactive_file 8192\nactive_file 0\n"
V2_OOM = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n"
LEVELS = ("guaranteed", "burstable", "besteffort")


def identifier(number: int) -> str:
    """A container's id."""
    return f"{number:064x}"


def by_systemd(level: str, container: str, above: str = "kubelet.slice/kubelet-") -> str:
    """A container's folder as the systemd driver names it; on kind below the kubelet's own slice."""
    outer, _, prefix = above.rpartition("/")
    between = "" if level == "guaranteed" else f"-{level}"
    middle = f"{prefix}kubepods{between}.slice/" if between else ""
    pod = f"{prefix}kubepods{between}-pod{POD}.slice"
    return f"{outer}/{prefix}kubepods.slice/{middle}{pod}/cri-containerd-{container}.scope".lstrip("/")


def by_cgroupfs(level: str, container: str) -> str:
    """The same by the cgroupfs driver."""
    return f"kubepods/{'' if level == 'guaranteed' else level + '/'}pod{POD}/{container}"


def version_1(root: Path, folder: str, pids: Iterable[int] = ()) -> Path:
    """One container; kind leaves an empty folder `cpu,cpuacct` beside the two hierarchies. Its group for CPU time."""
    (root / "cpu,cpuacct").mkdir(parents=True, exist_ok=True)
    _write(root / "cpuacct" / folder, {"cpuacct.usage": "186374888\n"}, pids)
    _write(root / "cpu" / folder, {"cpu.stat": V1_CPU}, pids)
    sizes = {"memory.usage_in_bytes": "12120064\n", "memory.limit_in_bytes": "67108864\n"}
    _write(root / "memory" / folder, {"memory.stat": V1_MEMORY, "memory.oom_control": V1_OOM, **sizes}, pids)
    for each in ("cpuacct", "cpu", "memory"):
        _write(root / each, {}, ())
    return root / "cpuacct" / folder


def version_2(root: Path, folder: str, pids: Iterable[int] = ()) -> Path:
    """The same with one hierarchy."""
    _write(root, {"cgroup.controllers": "cpu memory pids\n"}, ())
    sizes = {"memory.current": "12120064\n", "memory.max": "67108864\n"}
    texts = {"cpu.stat": V2_CPU, "memory.stat": V2_MEMORY, "memory.events": V2_OOM, **sizes}
    return _write(root / folder, texts, pids)


def _write(folder: Path, texts: dict[str, str], pids: Iterable[int]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**texts, "cgroup.procs": "".join(f"{pid}\n" for pid in pids)}.items():
        (folder / name).write_text(text)
    return folder
