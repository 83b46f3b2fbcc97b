"""`hoptax mesh install|uninstall`: prints the manifests of the built-in mesh, writes them as a chart, or has kubectl apply them."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.model.errors import EnvironmentFailure
from meshes.builtin.install.chart import files
from meshes.builtin.install.manifests import NAMESPACE, Installation, namespace, objects

APPLY = ("apply", "--server-side", "--field-manager", "hoptax", "-f", "-")
READY_S = 120


def install(
    image: str,
    replicas: int = 1,
    fail_open: bool = False,
    revision: str = "default",
    envoy_image: str = "",
    context: str = "",
    print: bool = False,  # noqa: A002 - the option is called so
    chart: str = "",
) -> None:
    """Install the control plane and its webhook into a cluster, or print what that would be.

    IMAGE is that of everything of hoptax; with --fail-open, pods start without a sidecar while the webhook is away.
    """
    wanted = Installation(image, replicas, not fail_open, envoy_image, revision)
    if chart:
        write_chart(Path(chart))
    elif print:
        sys.stdout.write(text(objects(wanted)))
    else:
        _kubectl(context, APPLY, text(objects(wanted)))
        waiting = (
            "wait",
            "-n",
            NAMESPACE,
            f"deployment/{wanted.name}",
            "--for=condition=Available",
            f"--timeout={READY_S}s",
        )
        _kubectl(context, waiting, "")


def uninstall(context: str = "", print: bool = False) -> None:  # noqa: A002 - the option is called so
    """Remove it: the webhook first, so that no pod waits for one that is gone. Sidecars stay until their pods are started again."""
    gone = [each for each in reversed(objects(Installation("none", 2))) if each["kind"] != "Namespace"]
    gone.sort(key=lambda each: each["kind"] != "MutatingWebhookConfiguration")
    gone.append(namespace())
    if print:
        sys.stdout.write(text(gone))
    else:
        _kubectl(context, ("delete", "--ignore-not-found", "-f", "-"), text(gone))


def text(documents: list[dict[str, Any]]) -> str:
    """As YAML: each document is JSON, which is YAML."""
    return "".join(f"---\n{json.dumps(each, indent=1)}\n" for each in documents)


def write_chart(folder: Path) -> None:
    """The chart's files into a folder."""
    for path, content in files(version("hoptax")).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def _kubectl(context: str, words: tuple[str, ...], given: str) -> None:
    program = shutil.which("kubectl")
    if program is None:
        raise EnvironmentFailure(
            "kubectl is not on PATH: install it, or use --print and apply the output by other means"
        )
    chosen = ("--context", context) if context else ()
    done = subprocess.run([program, *chosen, *words], input=given, text=True, check=False)
    if done.returncode:
        raise EnvironmentFailure(f"kubectl {words[0]} ended with {done.returncode}: its own lines above say why")


HELP = "The built-in mesh in a cluster. Example: hoptax mesh install hoptax/all:mine --print"
COMMANDS = {"install": install, "uninstall": uninstall}
