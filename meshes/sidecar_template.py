"""What an injection webhook knows of a pod, and what it gets for it: the sidecar's container. Knows no mesh; values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

CONTAINER = "hoptax-proxy"
TOKEN_VOLUME = "hoptax-token"  # noqa: S105 - names of volumes and files, no secrets
TOKEN_FOLDER = "/var/run/secrets/hoptax"  # noqa: S105
TOKEN_FILE = f"{TOKEN_FOLDER}/token"
TOKEN_S = 3600
"""The kubelet renews a projected token at four fifths of its life."""
ANNOTATION = "hoptax.dev/file-"


@dataclass(frozen=True, slots=True)
class PodFacts:
    """Of one pod at its admission.

    `name` is that by which the control plane knows the proxy (it may hold `$(VARIABLE)` of `environment`, as Kubernetes expands it in
    arguments); `control` is host and port; `ca_pem` are the roots to verify it by. `uid` is whose traffic isn't captured.
    """

    name: str
    service: str
    image: str
    control: tuple[str, int]
    control_id: str
    ca_pem: str
    uid: int
    access_log: bool = False
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class SidecarTemplate:
    """`container` gives a container as in `spec.initContainers`, with `restartPolicy: Always` (a native sidecar); it is pure.

    `volumes` are what it needs besides. `files`, by name, are to lie in TOKEN_FOLDER beside the token; `annotations` and `volume` do both.
    """

    container: Callable[[PodFacts], Json]
    files: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Json, ...] = ()

    def annotations(self) -> dict[str, str]:
        """What the pod needs besides: the files, for lack of another place."""
        return {ANNOTATION + name: text for name, text in self.files.items()}

    def volume(self, audience: str) -> Json:
        """The volume TOKEN_VOLUME: a token for that audience, and the files."""
        token = {"serviceAccountToken": {"audience": audience, "expirationSeconds": TOKEN_S, "path": "token"}}
        items = [
            {"path": name, "fieldRef": {"fieldPath": f"metadata.annotations['{ANNOTATION}{name}']"}}
            for name in self.files
        ]
        sources = [token, *([{"downwardAPI": {"items": items}}] if items else [])]
        return {"name": TOKEN_VOLUME, "projected": {"sources": sources}}
