"""Plan: what to start for an arm and a topology. It starts nothing and knows no address, key or path of a machine.

What a plan can't know it names by reference, written `${kind.name}` inside any text of a unit; the platform resolves them
at launch:

| reference            | becomes                                                                                    |
|----------------------|--------------------------------------------------------------------------------------------|
| `${address.HOST}`    | the IP address of that host (units of one host share it, like the containers of a pod)      |
| `${identity.NAME}`   | a folder with `cert.pem` (leaf, then intermediates), `key.pem`, `ca.pem` of that identity   |
| `${authority}`       | the CA's folder (only a control plane may ask for it; it holds the CA's key)                |
| `${secret.NAME}`     | a fresh random token, the same for every mention of NAME in one launch                      |
| `${dir}`             | the unit's own folder, where its `files` lie                                                |
| `${namespace}`       | the namespace of this launch (platform `kubernetes` only)                                   |
| `${image}`           | in a manifest: the image of everything of ours                                              |
| `${image.NAME}`      | in a manifest: an image of the mesh's own, one of `Kubernetes.images` or what the user says |
| `${authority.FILE}`  | in a manifest: that file of the CA's folder in base64, as a Secret's `data` holds it        |

On the platform `kubernetes` a host is a pod (a Deployment with one replica, named like the host), and a unit of it a container.
There `${address.HOST}` in a text of the host's own units is the address that a server binds, `0.0.0.0`; elsewhere it is a DNS name.
Apps call `http://SERVICE:8080`: a Service per service of the topology, and one per host. What a mesh brings by itself (a sidecar that its
webhook adds, a control plane that its manifests start) is a unit with `brought`: the platform starts nothing for it, but
waits for it, measures it and can disturb it like any other.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.model.program import Program

Role = Literal["app", "sidecar", "control", "load"]
Lifetime = Literal["cluster", "experiment", "trial"]

APP_PORT = 8080
FRONT_PORT = 8081
OBSERVE_PORT = 8090
INBOUND_PORT = 15006
OUTBOUND_PORT = 15001
ADMIN_PORT = 15000
METRICS_PORT = 15090
CONTROL_PORT = 15010

PROBE_IDENTITY = "probe"
"""An identity of this name belongs to every plan with mTLS: the parity probes call sidecars with it, as a legitimate peer.
Hosts end in a replica's number, so no host's identity has this name."""

REFERENCE = re.compile(r"\$\{([a-z]+)(?:\.([A-Za-z0-9_.-]+))?\}")


@dataclass(frozen=True, slots=True)
class File:
    """A text file in the unit's folder; `content` may hold references. `private` files get mode 0600."""

    name: str
    content: str
    private: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """A unit is ready when `GET path` on `port` of its host answers 200; with an empty path, when TCP connects."""

    port: int
    path: str = ""
    within_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Brought:
    """Where to find, in Kubernetes, a container that isn't started from the plan's units.

    Without `namespace` it is the launch's own; `workload` is the Deployment (for a sidecar: its host).
    """

    workload: str
    container: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Kubernetes objects as YAML; `content` may hold references. Objects of lifetime `experiment` are applied once and removed at its end.

    Those without a namespace of their own go to the launch's. `settled` is a condition for `kubectl wait`, e.g.
    `deployment/istiod=condition=Available`, "" for none.
    """

    name: str
    content: str
    lifetime: Lifetime = "trial"
    namespace: str = ""
    settled: str = ""
    within_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Render:
    """A vendor's program that prints manifests: the platform resolves, runs and digests it at launch."""

    name: str
    program: Program
    args: tuple[str, ...]
    lifetime: Lifetime = "experiment"
    namespace: str = ""
    settled: str = ""
    within_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """What a plan asks of the platform `kubernetes` beside its units.

    Applied in this order: `before` (the namespace a vendor's control plane lives in, its CA's Secret), renders, manifests.
    `images` are the vendor's own, by the name in `${image.NAME}`. `relay_labels` are put on an interposer's pod, so that the mesh gives it no
    sidecar, and callers' sidecars speak to it as to the callee that it stands before.
    """

    before: tuple[Manifest, ...] = ()
    renders: tuple[Render, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    namespace_labels: tuple[tuple[str, str], ...] = ()
    pod_labels: tuple[tuple[str, str], ...] = ()
    pod_annotations: tuple[tuple[str, str], ...] = ()
    relay_labels: tuple[tuple[str, str], ...] = ()
    images: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """One process (or container): what to run, where, and how to tell that it is ready.

    It runs in `folder`, or without one in its own. `after` names units that must be ready first. `ports` are those it binds on its host's address; the platform checks
    that they are free. `identity` is the SPIFFE id that the unit must prove on the wire, "" for none. An interposer
    stands `before` a host.
    """

    name: str
    role: Role
    host: str
    program: Program
    args: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()
    ready: Ready | None = None
    after: tuple[str, ...] = ()
    service: str = ""
    identity: str = ""
    folder: str = ""
    lifetime: Lifetime = "trial"
    stop_grace_s: float = 2.0
    brought: Brought | None = None
    before: str = ""

    def texts(self) -> Iterator[str]:
        """Every text in which references may stand."""
        yield from self.args
        yield from (file.content for file in self.files)
        yield from (value for _, value in self.environment)
        yield self.identity


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate the platform has to provide before launch, at `${identity.NAME}`."""

    name: str
    spiffe_id: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """The program that makes the authority and issues identities; every arm of an experiment shares one authority.

    The platform runs `program authority DIR` once per experiment (it does nothing if the authority is there), then, per
    launch, `program issue --authority DIR --out DIR NAME=SPIFFE_ID …` (one folder per NAME).
    """

    program: Program


@dataclass(frozen=True, slots=True)
class Plan:
    """Units in starting order, what they need from the platform, and where load enters."""

    units: tuple[Unit, ...]
    entry_host: str
    entry_port: int = FRONT_PORT
    identities: tuple[Identity, ...] = ()
    issuer: Issuer | None = None
    kubernetes: Kubernetes | None = None

    def hosts(self) -> tuple[str, ...]:
        """Hosts in order of first mention: the platform numbers addresses by it, so equal plans get equal addresses."""
        return tuple(dict.fromkeys(unit.host for unit in self.units))

    def unit(self, name: str) -> Unit:
        """The unit of that name (KeyError if there is none)."""
        for unit in self.units:
            if unit.name == name:
                return unit
        raise KeyError(name)


def address(host: str) -> str:
    """The reference to a host's address."""
    return f"${{address.{host}}}"


def wire_host(host: str) -> str:
    """The host of the interposer before `host`; no replica's host ends so."""
    return f"{host}-wire"


def peer(host: str, interposed: Container[str]) -> str:
    """The reference to where calls from other hosts to this one go: its own address, or that of the interposer before it."""
    return address(wire_host(host) if host in interposed else host)


def replica_host(service: str, replica: int) -> str:
    """The host of one replica of a service: `b-0`, `b-1`, …"""
    return f"{service}-{replica}"
