"""Whose objects in a cluster are: which run made them, whether that run still lives, and how all of a run is removed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.model.errors import EnvironmentFailure
from harness.platforms.kubectl import Kubectl
from harness.platforms.places import MANAGED_BY, OURS, RUN

OWNER, PREFIX = "hoptax.dev/owner", "hoptax.dev/prefix"
EVERY_RUN = f"{MANAGED_BY}={OURS},{RUN}"
WEBHOOKS = "mutatingwebhookconfigurations,validatingwebhookconfigurations"
CLUSTER_WIDE = "clusterroles,clusterrolebindings,customresourcedefinitions"
REMOVED_WITHIN_S = 120.0
START_TIME = 19
"""Of the fields of /proc/<pid>/stat after the program's name."""

Json = Mapping[str, Any]  # Any: JSON values


def of_run(run: str) -> str:
    """The selector of everything that a run made."""
    return f"{MANAGED_BY}={OURS},{RUN}={run}"


def owner(pid: int) -> str:
    """A process of this machine, so that no other is ever taken for it: boot, pid and start time."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{pid}/{_started(pid)}"


def lives(written: str) -> bool | None:
    """Whether the owner still lives; None if that can't be told here, since it is another machine's."""
    boot, _, rest = written.partition("/")
    pid = rest.partition("/")[0]
    if boot != owner(os.getpid()).partition("/")[0] or not pid.isdigit():
        return None
    return bool(_started(int(pid))) and owner(int(pid)) == written


def remove(kubectl: Kubectl, selector: str) -> None:
    """All of it, webhooks first: one whose server is gone would refuse what follows. Returns when the namespaces are gone."""
    _delete(kubectl, selector, WEBHOOKS)
    _delete(kubectl, selector, "rolebindings,roles", "--all-namespaces")
    _delete(kubectl, selector, "namespaces")
    _delete(kubectl, selector, CLUSTER_WIDE)


def clear_leftovers(kubectl: Kubectl, prefix: str) -> None:
    """Remove what a killed run of this prefix left. EnvironmentFailure if it still lives, or may, on another machine."""
    left = kubectl.items("namespaces", f"--selector={PREFIX}={prefix}")
    for run, written in {_run_and_owner(item) for item in left}:
        if lives(written) is not False:
            raise EnvironmentFailure(
                f"another hoptax uses the namespaces {prefix}-…, or was killed on another machine: wait for it, take another "
                "--namespace-prefix, or remove what it left with `hoptax clean`"
            )
        remove(kubectl, of_run(run))


def check_free(kubectl: Kubectl, namespace: str, run: str) -> None:
    """EnvironmentFailure for a namespace that exists and isn't this run's: it is never touched."""
    for item in kubectl.items("namespaces", f"--field-selector=metadata.name={namespace}"):
        if item["metadata"].get("labels", {}).get(RUN) != run:
            raise EnvironmentFailure(
                f"namespace {namespace!r} exists and isn't of this run: hoptax doesn't touch it; take another "
                "--namespace-prefix, or remove that namespace"
            )


def _delete(kubectl: Kubectl, selector: str, kinds: str, *options: str) -> None:
    kubectl.run(
        *("delete", kinds, f"--selector={selector}", "--ignore-not-found", "--wait=true", *options),
        within_s=REMOVED_WITHIN_S,
    )


def _run_and_owner(item: Json) -> tuple[str, str]:
    metadata = item["metadata"]
    return str(metadata.get("labels", {}).get(RUN, "")), str(metadata.get("annotations", {}).get(OWNER, ""))


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[START_TIME]
    except OSError:
        return ""
