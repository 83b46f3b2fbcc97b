"""The file a proxy starts with: who it is, and where its configuration comes from. Reads one file, opens no socket.

With a control plane:
`{"name": "a-0", "address": "127.77.0.2", "spiffe_id": "spiffe://hoptax/a", "ca": "PATH of the trust bundle", "token": "…",
"control": {"address": "127.77.0.1:15010", "spiffe_id": "spiffe://hoptax/control"}}`; the key and certificate live beside it
for the moment between being made and being loaded. Without one, from files:
`{"name", "address", "spiffe_id", "ca", "snapshot": PATH, "cert": PATH, "key": PATH}`. Either way `"drain_s": 1.5` may be added:
how long requests may take to finish after SIGTERM.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from meshes.builtin.snapshot import Endpoint, Section, SnapshotError

DRAIN_S = 1.5


@dataclass(frozen=True, slots=True)
class Source:
    """The control plane: where it is, who it must prove to be, and the token that the first certificate is asked for with."""

    endpoint: Endpoint
    spiffe_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Files:
    """Configuration from files instead."""

    snapshot: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """`folder` is where the file lies: the proxy's own."""

    name: str
    address: str
    spiffe_id: str
    ca: Path
    folder: Path
    source: Source | Files
    drain_s: float


def read_bootstrap(path: Path) -> Bootstrap:
    """The file's content; SnapshotError says what is wrong with it."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SnapshotError(f"bootstrap file {path} can't be read: {error}") from error
    with Section("bootstrap", document) as read:
        return Bootstrap(
            name=read.text("name"),
            address=read.text("address"),
            spiffe_id=read.text("spiffe_id"),
            ca=Path(read.path("ca")),
            folder=path.parent,
            source=_control_plane(read) if read.has("control") else _files(read),
            drain_s=read.number("drain_s", 0, 3600) if read.has("drain_s") else DRAIN_S,
        )


def _control_plane(read: Section) -> Source:
    with read.section("control") as control:
        endpoint, spiffe_id = Endpoint(*control.endpoint("address")), control.text("spiffe_id")
    return Source(endpoint, spiffe_id, read.text("token"))


def _files(read: Section) -> Files:
    return Files(Path(read.path("snapshot")), Path(read.path("cert")), Path(read.path("key")))
