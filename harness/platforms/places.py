"""Where objects go in a cluster, whose they are, and what their containers may use. Values only."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]  # Any: JSON values

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "hoptax"
RUN, SERVICE, HOST = "hoptax.dev/run", "hoptax.dev/service", "hoptax.dev/host"
BEFORE = "hoptax.dev/before"
"""On an interposer's pod: the service before which it stands."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What every container of ours asks for and may use at most, as Kubernetes writes quantities; sidecars are the mesh's affair."""

    requests: tuple[tuple[str, str], ...] = (("cpu", "30m"), ("memory", "32Mi"))
    limits: tuple[tuple[str, str], ...] = ()

    def document(self) -> Json:
        """As a container has it."""
        return {name: dict(values) for name, values in (("requests", self.requests), ("limits", self.limits)) if values}


@dataclass(frozen=True, slots=True)
class Where:
    """Where objects go: the run they belong to, a namespace, the image of everything of ours, a node ("" = any).

    `images` are those that the user gave for meshes, by name.
    """

    run: str
    namespace: str
    image: str
    resources: Resources = field(default_factory=Resources)
    node: str = ""
    images: tuple[tuple[str, str], ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """On everything of ours."""
        return {MANAGED_BY: OURS, RUN: self.run}
