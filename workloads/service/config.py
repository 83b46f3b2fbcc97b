"""What one replica does, read from the document of harness.model.app.service_document and made ready for each request."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.wire.pool import Timeouts

FORWARDED = frozenset(
    (
        b"traceparent",
        b"tracestate",
        b"b3",
        b"x-b3-traceid",
        b"x-b3-spanid",
        b"x-b3-parentspanid",
        b"x-b3-sampled",
    )
)
"""Headers of a trace, which an application has to pass on."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call site, with the request ready to send: `head` + trace headers + CRLF + `body`.

    A callee that isn't `stamped` may leave out when it received and answered: then only the whole call is known.
    """

    hop: str
    service: str
    endpoints: tuple[tuple[str, int], ...]
    probability: float
    stamped: bool
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Config:
    """Times in nanoseconds or seconds as their names say; `front` is 0 except at the entry. Each step has its sleep."""

    service: str
    replica: int
    address: str
    app_port: int
    observe_port: int
    front_port: int
    cpu_ns: int
    sleep_ns: int
    receive_delay_ns: int
    error_rate: float
    body: bytes
    timeouts: Timeouts
    steps: tuple[tuple[Call, ...], ...]
    sleeps_ns: tuple[int, ...]


def load(path: Path) -> Config:
    """The document at `path`."""
    document = json.loads(path.read_text())
    work, ports, timeouts = document["work"], document["ports"], document["timeouts_s"]
    return Config(
        service=document["service"],
        replica=document["replica"],
        address=document["address"],
        app_port=ports["app"],
        observe_port=ports["observe"],
        front_port=ports["front"],
        cpu_ns=work["cpu_us"] * 1000,
        sleep_ns=work["sleep_us"] * 1000,
        receive_delay_ns=document.get("receive_delay_us", 0) * 1000,
        error_rate=work["error_rate"],
        body=b"x" * work["response_bytes"],
        timeouts=Timeouts(timeouts["connect"], timeouts["request"], timeouts["idle"]),
        steps=tuple(tuple(_call(call) for call in step) for step in document["steps"]),
        sleeps_ns=tuple(sleep_us * 1000 for sleep_us in document["sleeps_us"]),
    )


def _call(document: dict[str, Any]) -> Call:  # Any: JSON values
    body = b"x" * document["request_bytes"]
    method = b"POST" if body else b"GET"
    length = b"content-length: %d\r\n" % len(body) if body else b""
    return Call(
        hop=document["hop"],
        service=document["service"],
        endpoints=tuple(_endpoint(text) for text in document["endpoints"]),
        probability=document["probability"],
        stamped=document["stamped"],
        head=b"%s / HTTP/1.1\r\nhost: %s\r\n%s" % (method, document["service"].encode(), length),
        body=body,
    )


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
