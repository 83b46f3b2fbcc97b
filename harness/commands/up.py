"""`hoptax up`: keeps a deployment running in the foreground, to look at it and to send requests by hand."""

import json
import time
from typing import Annotated, Any

import typer

from harness import registry
from harness.commands.experiments import split_arms
from harness.commands.where import (
    ContextOption,
    ImageOption,
    KubeconfigOption,
    LimitsOption,
    MeshImageOption,
    PlatformOption,
    PrefixOption,
    RequestsOption,
    YesOption,
    target,
)
from harness.model.errors import UsageError
from harness.model.mesh import Arm, Traffic
from harness.model.plan import OBSERVE_PORT
from harness.model.platform import Deployment
from harness.stage import check_programs, stage
from harness.topologies import runnable_topology

CHECK_EVERY_S = 0.5


def up(
    topology: Annotated[str, typer.Argument(help="A shipped topology (hoptax list topologies) or a YAML file.")],
    arm: Annotated[str, typer.Option(help="The arm, e.g. 'builtin[mtls]'.")] = "baseline",
    platform: PlatformOption = "process",
    context: ContextOption = "",
    kubeconfig: KubeconfigOption = "",
    namespace_prefix: PrefixOption = "",
    image: ImageOption = "",
    mesh_image: MeshImageOption = "",
    requests: RequestsOption = "",
    limits: LimitsOption = "",
    yes: YesOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as one JSON document.")] = False,
) -> None:
    """Start a topology through an arm and keep it until Ctrl-C.  Example: hoptax up chain-4 --arm 'envoy[mtls]'"""
    where = target(platform, context, kubeconfig, namespace_prefix, image, mesh_image, requests, limits, yes)
    chosen = runnable_topology(topology)
    for note in chosen.notes:
        typer.echo(f"warning: {note}", err=True)
    asked = _one(arm)
    check_programs((asked,), where)
    with stage((asked,), target=where) as (bench, _):
        plan = asked.plan(chosen, Traffic(), bench.platform.facts)
        with bench.platform.launch(plan, bench.workspace / "up") as deployment:
            _announce(deployment, as_json)
            while True:
                deployment.check()
                time.sleep(CHECK_EVERY_S)


def _one(text: str) -> Arm:
    arms = split_arms(text)
    if len(arms) != 1:
        raise UsageError(f"--arm takes one arm, got {len(arms)} ({text!r}): e.g. --arm 'builtin[mtls]'")
    return registry.arm(arms[0])


def _announce(deployment: Deployment, as_json: bool) -> None:
    document = _addresses(deployment)
    if as_json:
        typer.echo(json.dumps(document))
        return
    typer.echo(f"entry     {document['entry']}    (curl it; hops: curl {document['hops']})")
    for unit in document["units"]:
        typer.echo(f"{unit['role']:<9} {unit['unit']:<24} {unit['address']:<14} pid {unit['pid']:<8} {unit['log']}")
    typer.echo("Ctrl-C ends it.")


def _addresses(deployment: Deployment) -> dict[str, Any]:  # Any: JSON values
    host = deployment.plan.entry_host
    return {
        "entry": deployment.entry_url(),
        "hops": f"http://{deployment.address(host)}:{OBSERVE_PORT}/hops",
        "units": [
            {"unit": unit.name, "role": unit.role, "address": unit.address, "pid": unit.pid, "log": str(unit.log)}
            for unit in deployment.units.values()
        ],
    }
