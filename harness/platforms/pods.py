"""What a pod's status says: whether its containers run, what keeps them from it, and what happened to them since. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]  # Any: JSON values

HOPELESS = {
    *("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"),
    *("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"),
}
"""Reasons to wait that don't go away by waiting."""


def name(pod: Json) -> str:
    """The pod's name."""
    return str(pod["metadata"]["name"])


def address(pod: Json) -> str:
    """Its IP address, "" if it has none yet."""
    return str(pod.get("status", {}).get("podIP", ""))


def node(pod: Json) -> str:
    """The node it runs on, "" if none has been found yet."""
    return str(pod.get("spec", {}).get("nodeName", ""))


def leaving(pod: Json) -> bool:
    """Whether it is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


def of_workload(pods: Iterable[Json], workload: str) -> Json | None:
    """The pod of a Deployment (through its ReplicaSet) or of a workload that has its pods itself; None if there is none that stays."""
    return next(iter(all_of_workload(pods, workload)), None)


def all_of_workload(pods: Iterable[Json], workload: str) -> list[Json]:
    """As `of_workload`, for who has several."""
    return [pod for pod in pods if not leaving(pod) and workload in _workloads(pod)]


def _workloads(pod: Json) -> set[str]:
    owners = [str(owner["name"]) for owner in pod["metadata"].get("ownerReferences", ())]
    return {name for owner in owners for name in (owner, owner.rpartition("-")[0])}


def container(pod: Json, wanted: str) -> Json | None:
    """The status of a container, native sidecars (which are init containers) included; None if there is none."""
    return next((status for status in _statuses(pod) if status["name"] == wanted), None)


def runs(pod: Json, wanted: str) -> bool:
    """Whether that container runs now."""
    status = container(pod, wanted)
    return status is not None and "running" in status.get("state", {})


def container_id(pod: Json, wanted: str) -> str:
    """Without the runtime's prefix; "" if it doesn't run."""
    status = container(pod, wanted)
    return str((status or {}).get("containerID", "")).rpartition("//")[2]


def hopeless(pod: Json) -> str:
    """Why waiting for it is no use; "" if it may be."""
    status = pod.get("status", {})
    if status.get("phase") == "Failed":
        return _sentence(pod, "", str(status.get("reason", "Failed")), str(status.get("message", "")))
    for each in _statuses(pod):
        waiting = each.get("state", {}).get("waiting", {})
        if waiting.get("reason") in HOPELESS:
            return _sentence(pod, each["name"], waiting["reason"], str(waiting.get("message", "")))
    return ""


def waits_for(pod: Json) -> str:
    """What it waits for now, as far as its status says."""
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _sentence(pod, "", str(condition.get("reason")), str(condition.get("message", "")))
    for each in _statuses(pod):
        waiting = each.get("state", {}).get("waiting")
        if waiting:
            return _sentence(pod, each["name"], str(waiting.get("reason")), str(waiting.get("message", "")))
    return ""


def restarts(pod: Json) -> dict[str, int]:
    """How often each container was started again."""
    return {str(status["name"]): int(status.get("restartCount", 0)) for status in _statuses(pod)}


def is_behind(pod: Json, expected: Mapping[str, int]) -> bool:
    """Whether a container was killed on purpose and the API server hasn't heard yet that it was started again."""
    return any(count < expected.get(container_name, 0) for container_name, count in restarts(pod).items())


def ended(pod: Json, before: Mapping[str, int]) -> str:
    """What happened to a container that was restarted more often than `before`, or isn't running; "" if nothing did."""
    if why := hopeless(pod):
        return why
    for status in _statuses(pod):
        states = (status.get("state", {}), status.get("lastState", {}))
        again = int(status.get("restartCount", 0)) > before.get(str(status["name"]), 0)
        for state, counts in zip(states, (_is_needed(status), again), strict=True):
            if counts and (end := state.get("terminated")):
                said = str(end.get("message", "")) or f"exit code {end.get('exitCode')}"
                return _sentence(pod, status["name"], str(end.get("reason", "ended")), said)
        if again:
            return _sentence(pod, status["name"], "restarted", "")
    return ""


def _is_needed(status: Json) -> bool:
    """An init container that has done its work is fine."""
    end = status.get("state", {}).get("terminated", {})
    return bool(end) and not (status.get("init") and end.get("exitCode") == 0)


def _statuses(pod: Json) -> Iterator[Json]:
    status = pod.get("status", {})
    yield from ({**each, "init": True} for each in status.get("initContainerStatuses", ()))
    yield from status.get("containerStatuses", ())


def _sentence(pod: Json, container_name: str, reason: str, message: str) -> str:
    where = f"container {container_name!r} of pod {name(pod)!r}" if container_name else f"pod {name(pod)!r}"
    return f"{where}: {reason}" + (f" ({message.strip()})" if message else "")
