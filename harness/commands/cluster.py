"""`hoptax cluster`: a kind cluster up, its status, images into it, and down."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.platforms.kind import Clusters, Status, home
from harness.platforms.kind_config import PINNED_IMAGE, Wanted
from harness.platforms.kind_tools import Tools

SCHEMA = 1
DEFAULT = Wanted()

cluster = typer.Typer(no_args_is_help=True, help="A kind cluster on this machine: up, status, load, down.")

Name = Annotated[str, typer.Option(help="Which of several clusters.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@cluster.command("up")
def up(
    name: Name = DEFAULT.name,
    nodes: Annotated[int, typer.Option(help="How many nodes; the first is the control plane too.")] = DEFAULT.nodes,
    image: Annotated[
        str, typer.Option(help=f"Node image. [default: {PINNED_IMAGE.partition('@')[0]}, or what was built]")
    ] = "",
    pod_subnet: Annotated[str, typer.Option(help="IPv4 range of pods.")] = DEFAULT.pod_subnet,
    service_subnet: Annotated[str, typer.Option(help="IPv4 range of services.")] = DEFAULT.service_subnet,
    as_json: AsJson = False,
) -> None:
    """Start a cluster, or use the one that runs as asked.  Example: hoptax cluster up --nodes 2"""
    _print(_clusters().up(Wanted(name, nodes, image, pod_subnet, service_subnet)), as_json=as_json)


@cluster.command("status")
def status(name: Name = DEFAULT.name, as_json: AsJson = False) -> None:
    """Say how a cluster is.  Example: hoptax cluster status --json"""
    _print(_clusters().status(name), as_json=as_json)


@cluster.command("load")
def load(
    archives: Annotated[list[Path], typer.Argument(help="Archives of images, as `make images` builds them.")],
    name: Name = DEFAULT.name,
) -> None:
    """Put images into every node.  Example: hoptax cluster load build/images/all.tar"""
    for archive in archives:
        _clusters().load(name, archive)


@cluster.command("down")
def down(name: Name = DEFAULT.name, as_json: AsJson = False) -> None:
    """Remove a cluster and put the host's settings back.  Example: hoptax cluster down"""
    left = _clusters().down(name)
    for line in left:
        typer.echo(f"only root can put this back: {line}", err=True)
    _print(Status(name, "absent"), as_json=as_json)


def _clusters() -> Clusters:
    return Clusters(home(), Tools(), lambda line: typer.echo(line, err=True))


def _print(found: Status, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"kind": "cluster", "schema": SCHEMA, **asdict(found)}, indent=1))
        return
    typer.echo(f"{found.name}: {found.state}{''.join(f', {node}' for node in found.nodes)}")
    if found.state == "running":
        typer.echo(f"export KUBECONFIG={found.kubeconfig}")
