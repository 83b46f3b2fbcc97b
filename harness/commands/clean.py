"""`hoptax clean`: removes from a cluster everything that hoptax ever made there."""

from typing import Annotated

import typer

from harness.commands.where import ContextOption, KubeconfigOption
from harness.platforms.kubectl import Kubectl
from harness.platforms.ownership import EVERY_RUN, remove


def clean(
    context: ContextOption = "",
    kubeconfig: KubeconfigOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name the namespaces.")] = False,
) -> None:
    """Remove what runs left in a cluster, by its labels; ends runs that are under way.  Example: hoptax clean --context kind-a"""
    kubectl = Kubectl(Kubectl(context, kubeconfig).current_context(), kubeconfig)
    for item in kubectl.items("namespaces", f"--selector={EVERY_RUN}"):
        typer.echo(item["metadata"]["name"])
    if not dry_run:
        remove(kubectl, EVERY_RUN)
