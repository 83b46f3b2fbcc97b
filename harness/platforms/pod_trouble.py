"""Why a pod isn't well: the cluster's events about it and the last lines of its containers, for messages."""

from contextlib import suppress
from typing import Any

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Unit
from harness.platforms import pods
from harness.platforms.kubectl import Kubectl

LOG_LINES = 15
EVENTS = 4

Json = dict[str, Any]  # Any: JSON values


class Trouble:
    """Asks only when something is wrong; what can't be had is left out, so that it never hides the first reason."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def tail(self, pod: Json, *, restarted: bool = False) -> str:
        """Events of a pod, and what its containers wrote last; of one that was restarted, before that."""
        place = str(pod["metadata"]["namespace"])
        lines = self._events(place, pods.name(pod))
        for container, count in pods.restarts(pod).items():
            before = ["--previous"] * bool(restarted and count)
            with suppress(EnvironmentFailure):
                said = self._kubectl.run(
                    *(
                        "logs",
                        f"--namespace={place}",
                        pods.name(pod),
                        f"--container={container}",
                        f"--tail={LOG_LINES}",
                    ),
                    *before,
                )
                lines += [f"{container}: {line}" for line in said.splitlines()]
        return _shown(lines)

    def of_workload(self, unit: Unit, namespace: str) -> str:
        """Why a workload has no pod: a webhook or a quota that refuses it, say."""
        workload = unit.brought.workload if unit.brought else unit.host
        place = (unit.brought.namespace if unit.brought else "") or namespace
        return _shown(self._events(place, workload))

    def _events(self, place: str, about: str) -> list[str]:
        with suppress(EnvironmentFailure):
            found = self._kubectl.items("events", f"--namespace={place}", "--sort-by=.lastTimestamp")
            return [
                f"{event.get('reason')}: {str(event.get('message', '')).strip()}"
                for event in found
                if event.get("type") == "Warning" and str(event["involvedObject"].get("name", "")).startswith(about)
            ][-EVENTS:]
        return []


def _shown(lines: list[str]) -> str:
    return "; events and last lines:\n  " + "\n  ".join(lines) if lines else ""
