"""The options of `run` and `up` that say where: on this machine or in a cluster."""

from importlib.metadata import version
from typing import Annotated

import typer

from harness import registry
from harness.model.errors import UsageError, unknown
from harness.platforms.cluster import Target
from harness.platforms.places import Resources

PLATFORMS = ("process", "kubernetes")

PlatformOption = Annotated[str, typer.Option("--platform", help="process (this machine) or kubernetes.")]
ContextOption = Annotated[str, typer.Option(help="Kubernetes: context instead of kubectl's current one.")]
KubeconfigOption = Annotated[str, typer.Option(help="Kubernetes: file instead of kubectl's own choice.")]
PrefixOption = Annotated[str, typer.Option("--namespace-prefix", help="Kubernetes: how our namespaces begin.")]
ImageOption = Annotated[str, typer.Option("--image", help="Kubernetes: image of everything of ours.")]
MeshImageOption = Annotated[
    str, typer.Option("--mesh-image", help="Kubernetes: images of meshes' own, e.g. envoy=registry/envoy:v1.")
]
RequestsOption = Annotated[
    str, typer.Option(help="Kubernetes: what every container asks for, e.g. cpu=100m,memory=64Mi.")
]
LimitsOption = Annotated[str, typer.Option(help="Kubernetes: what every container may use, e.g. cpu=1,memory=256Mi.")]
YesOption = Annotated[
    bool, typer.Option("--yes", help="Kubernetes: the context is no kind cluster, and that is meant.")
]


def target(
    platform: str,
    context: str,
    kubeconfig: str,
    prefix: str,
    image: str,
    mesh_image: str,
    requests: str,
    limits: str,
    yes: bool,
) -> Target | None:
    """The cluster that is meant; None for this machine. UsageError for options that don't go together."""
    if platform not in PLATFORMS:
        raise unknown("platform", platform, PLATFORMS)
    given: dict[str, object] = {
        "--context": context,
        "--kubeconfig": kubeconfig,
        "--namespace-prefix": prefix,
        "--image": image,
        "--mesh-image": mesh_image,
    }
    given |= {"--requests": requests, "--limits": limits, "--yes": yes}
    if platform == "process":
        if said := [name for name, value in given.items() if value]:
            raise UsageError(f"{said[0]} is for a cluster: say --platform kubernetes too, or leave it out")
        return None
    resources = Resources(*(quantities(text) or default for text, default in ((requests, _REQUESTS), (limits, ()))))
    return Target(
        image=image or f"hoptax/all:{version('hoptax')}",
        context=context,
        kubeconfig=kubeconfig,
        prefix=prefix or "hoptax",
        resources=resources,
        any_context=yes,
        mesh_images=images(mesh_image),
    )


_REQUESTS = Resources().requests


def images(text: str) -> tuple[tuple[str, str], ...]:
    """`envoy=registry/envoy:v1,…` in pairs. UsageError for what is no such list, or a name that no mesh has an image for."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if wrong := ["".join(pair) for pair in pairs if not all(pair)]:
        raise UsageError(f"{wrong[0]!r} in {text!r}: write NAME=IMAGE, e.g. envoy=registry/envoy:v1")
    known = registry.mesh_images()
    if strangers := [name for name, _, _ in pairs if name not in known]:
        raise unknown("mesh image", strangers[0], known)
    return tuple((name, image) for name, _, image in pairs)


def quantities(text: str) -> tuple[tuple[str, str], ...]:
    """`cpu=1,memory=64Mi` in pairs; Kubernetes judges the quantities. UsageError for what is no such list."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if wrong := [name for name, _, value in pairs if name.strip() not in {"cpu", "memory"} or not value.strip()]:
        raise UsageError(f"{wrong[0]!r} in {text!r}: write cpu=QUANTITY,memory=QUANTITY, e.g. cpu=100m,memory=64Mi")
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)
