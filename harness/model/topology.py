"""Topology: the services of the application under test and who calls whom. Values only; reading YAML is elsewhere."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from harness.model.program import Program

Protocol = Literal["http"]


@dataclass(frozen=True, slots=True)
class Work:
    """What a service does for one request, before it calls anyone.

    cpu_us burns that much CPU time, sleep_us waits without CPU, response_bytes is the body's size,
    error_rate is the share of requests answered 500 (0 to 1).
    """

    cpu_us: int = 0
    sleep_us: int = 0
    response_bytes: int = 128
    error_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call site: the callee's name, the size of the request body, and how often it is made (0 to 1)."""

    service: str
    request_bytes: int = 0
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """Calls that start together; the next step starts when all have answered and, at the earliest, after `sleep_us`."""

    calls: tuple[Call, ...]
    sleep_us: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A program of the user's own in the place of the fan-out service; harness.model.app says what it is told.

    `words` and the values of `environment` may hold placeholders (`{port}`, `{host}`, `{replica}`, `{url.NAME}`). It runs in
    `folder`, and is ready when `ready` answers 200 (with "", when its port can be connected to). `digests` are of the words
    that name files.
    """

    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    ready: str = ""
    folder: str = ""
    digests: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its replicas, protocol, work per request and the script of calls it makes.

    With a `command`, `script` says whom it may call; what it really does is its own affair, and nobody sees it from inside.
    """

    name: str
    program: Program
    replicas: int = 1
    protocol: Protocol = "http"
    work: Work = field(default_factory=Work)
    script: tuple[Step, ...] = ()
    command: Command | None = None

    def calls(self) -> tuple[Call, ...]:
        """All call sites in script order; the position is the call-site index of a hop id."""
        return tuple(call for step in self.script for call in step.calls)


@dataclass(frozen=True, slots=True, order=True)
class Hop:
    """One call site from one service to another."""

    caller: str
    call_site: int
    callee: str
    protocol: str

    @property
    def id(self) -> str:
        """`caller#index>callee/protocol`, as it stands in results, e.g. `a#0>b/http`."""
        return f"{self.caller}#{self.call_site}>{self.callee}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Topology:
    """A directed acyclic graph of services; load enters at `entry`. `notes` say what of its file can't be honoured or measured."""

    name: str
    entry: str
    services: tuple[Service, ...]
    digest: str = ""
    notes: tuple[str, ...] = ()

    def service(self, name: str) -> Service:
        """The service of that name (it exists: the loader checked)."""
        return next(service for service in self.services if service.name == name)

    def hops(self) -> tuple[Hop, ...]:
        """Every call site, in the order of services and scripts."""
        return tuple(self._hops())

    def _hops(self) -> Iterator[Hop]:
        protocols = {service.name: service.protocol for service in self.services}
        for service in self.services:
            for index, call in enumerate(service.calls()):
                yield Hop(service.name, index, call.service, protocols[call.service])


def document(topology: Topology) -> dict[str, Any]:  # Any: JSON values
    """What results hold of a topology and its digest is made of: all but paths of this machine and notes.

    Keys that came later are left out where they aren't used, so that a topology keeps the digest it always had.
    """
    content = asdict(topology)
    del content["notes"]
    for service in content["services"]:
        for later in ("root", "image"):
            if not service["program"][later]:
                del service["program"][later]
        if service["command"] is None:
            del service["command"]
        else:
            del service["command"]["folder"]
        for step in service["script"]:
            if not step["sleep_us"]:
                del step["sleep_us"]
    return content
