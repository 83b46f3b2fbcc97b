"""The user's kubectl, and the only place that calls it: apply, get, wait, delete, exec, logs. It decides nothing."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.model.errors import EnvironmentFailure, UsageError

WITHIN_S = 60.0
FIELD_MANAGER = "hoptax"
MISSING = "kubectl is missing: install it (https://kubernetes.io/docs/tasks/tools/) or put it on PATH"

Json = dict[str, Any]  # Any: JSON values


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Commands for one cluster; "" means kubectl's own choice of context and file."""

    context: str = ""
    kubeconfig: str = ""

    def words(self, *arguments: str) -> tuple[str, ...]:
        """A whole command line."""
        options = [f"--context={self.context}"] * bool(self.context) + [f"--kubeconfig={self.kubeconfig}"] * bool(
            self.kubeconfig
        )
        return (self._program(), *options, *arguments)

    def run(self, *arguments: str, stdin: str = "", within_s: float = WITHIN_S) -> str:
        """Its output. EnvironmentFailure with its last words, or if it doesn't end in time."""
        shown = f"kubectl {' '.join(arguments[:3])}"
        try:
            done = subprocess.run(
                self.words(*arguments), input=stdin, capture_output=True, text=True, timeout=within_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(f"`{shown}` isn't done after {within_s:g} s: is the cluster reachable?") from None
        except OSError as error:
            raise EnvironmentFailure(f"`{shown}` can't be started: {error.strerror}") from error
        if done.returncode:
            raise EnvironmentFailure(f"`{shown}` failed: {_last(done.stderr or done.stdout) or done.returncode}")
        return done.stdout

    def get(self, *arguments: str) -> Json:
        """One object or a list, as JSON."""
        return dict(json.loads(self.run("get", *arguments, "--output=json")))

    def items(self, *arguments: str) -> list[Json]:
        """The objects of a list."""
        return list(self.get(*arguments)["items"])

    def apply(self, objects: Sequence[Json], namespace: str = "") -> None:
        """Server-side; objects without a namespace go to this one."""
        self.run(
            *("apply", "--server-side", "--force-conflicts", f"--field-manager={FIELD_MANAGER}", "--filename=-"),
            *([f"--namespace={namespace}"] * bool(namespace)),
            stdin=as_list(objects),
        )

    def delete(self, objects: Sequence[Json], namespace: str = "", *, wait: bool = True) -> None:
        """What of these is there; nothing else."""
        self.run(
            *("delete", "--ignore-not-found", f"--wait={str(wait).lower()}", "--filename=-"),
            *([f"--namespace={namespace}"] * bool(namespace)),
            stdin=as_list(objects),
        )

    def version(self) -> str:
        """Of the API server, e.g. `v1.34.4`."""
        return str(json.loads(self.run("get", "--raw=/version"))["gitVersion"])

    def current_context(self) -> str:
        """The context that commands go to. UsageError if there is none."""
        if self.context:
            return self.context
        try:
            return self.run("config", "current-context").strip()
        except EnvironmentFailure as error:
            raise UsageError(f"there is no cluster to use ({error}): give --context or --kubeconfig") from error

    @staticmethod
    def _program() -> str:
        found = shutil.which("kubectl", path=os.environ.get("PATH"))
        if found is None:
            raise EnvironmentFailure(MISSING)
        return found


def as_list(objects: Sequence[Json]) -> str:
    """One document for all."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def _last(text: str) -> str:
    return "; ".join(text.strip().splitlines()[-3:])
