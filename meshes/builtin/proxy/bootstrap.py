"""What a proxy starts with, a file or one argument: who it is, and where its configuration comes from. Reads one file, opens no socket.

With a control plane:
`{"name": "a-0", "address": "127.77.0.2", "spiffe_id": "spiffe://hoptax/a", "ca": "PATH of the trust bundle", "token": "…",
"control": {"address": "127.77.0.1:15010", "spiffe_id": "spiffe://hoptax/control"}}`; `"token_file": PATH` names a file that is read each
time instead of `token`, since Kubernetes renews tokens; `"ca_pem"` is the bundle itself instead of its path; `"pod_addresses"`, with commas,
instead of `address`: it listens on all of them and on loopback. The key and certificate live beside it
for the moment between being made and being loaded. Without one, from files:
`{"name", "address", "spiffe_id", "ca", "snapshot": PATH, "cert": PATH, "key": PATH}`. Either way `"drain_s": 1.5` may be added:
how long requests may take to finish after SIGTERM.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from meshes.builtin.snapshot import Endpoint, Section, SnapshotError

DRAIN_S = 1.5
EVERYWHERE, EVERYWHERE_6 = "0.0.0.0", "::"  # noqa: S104 - redirected connections arrive at any address of the pod


@dataclass(frozen=True, slots=True)
class Source:
    """The control plane: where it is, who it must prove to be, and the token that the first certificate is asked for with, or its file."""

    endpoint: Endpoint
    spiffe_id: str
    given: str | Path

    def token(self) -> str:
        """As it is now; OSError if its file can't be read."""
        return self.given if isinstance(self.given, str) else self.given.read_text().strip()


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
    bundle: str
    folder: Path
    source: Source | Files
    drain_s: float


def read_bootstrap(path: Path) -> Bootstrap:
    """The file's content; SnapshotError says what is wrong with it."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"bootstrap file {path} can't be read: {error}") from error
    return parse_bootstrap(text, path.parent, f"bootstrap file {path}")


def parse_bootstrap(text: str | bytes, folder: Path, where: str) -> Bootstrap:
    """As `read_bootstrap`, of a text; `folder` becomes the proxy's own."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SnapshotError(f"{where} can't be read: {error}") from error
    with Section("bootstrap", document) as read:
        return Bootstrap(
            name=read.text("name"),
            address=_everywhere(read) if read.has("pod_addresses") else read.text("address"),
            spiffe_id=read.text("spiffe_id"),
            bundle=_bundle(read),
            folder=folder,
            source=_control_plane(read) if read.has("control") else _files(read),
            drain_s=read.number("drain_s", 0, 3600) if read.has("drain_s") else DRAIN_S,
        )


def _everywhere(read: Section) -> str:
    """Redirected connections arrive at loopback or at whatever address their interface has; with IPv6 if the pod has it."""
    return EVERYWHERE_6 if ":" in read.text("pod_addresses") else EVERYWHERE


def _bundle(read: Section) -> str:
    if read.has("ca_pem"):
        return read.path("ca_pem")
    path = Path(read.path("ca"))
    try:
        return path.read_text()
    except OSError as error:
        raise SnapshotError(f"bootstrap.ca {path} can't be read: {error}") from error


def _control_plane(read: Section) -> Source:
    with read.section("control") as control:
        endpoint, spiffe_id = Endpoint(*control.endpoint("address")), control.text("spiffe_id")
    given = Path(read.path("token_file")) if read.has("token_file") else read.text("token")
    return Source(endpoint, spiffe_id, given)


def _files(read: Section) -> Files:
    return Files(Path(read.path("snapshot")), Path(read.path("cert")), Path(read.path("key")))
