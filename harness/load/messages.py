"""The control protocol of an engine: what goes over its stdin and stdout, one JSON object a line. It opens nothing.

    to the engine                              from the engine
    {"do": "prepare", …Prepare}            →   {"event": "ready", "connections": 16}      all connections are open
    {"do": "start", …Start}                →   {"event": "progress", …Progress}           once a second, if the pipe has room
    {"do": "stop"}  (optional, ends early) →   {"event": "done", …Done}                   after window and drain; then it exits
    {"do": "meet"}  (engines with workers) →   {"event": "ready", "connections": 0, …}    their clocks; nothing is opened

Instead of `ready` or `done` an engine may answer {"event": "failed", "blame": "usage" | "environment", "message": …} and exit.
End of file on its stdin, at any time, makes it exit at once: so an engine never outlives whoever started it. Times are
CLOCK_MONOTONIC ns of one machine. Keys that a side doesn't know are passed over.
"""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.load.seconds import Second
from harness.model.errors import EnvironmentFailure
from harness.model.run import ClockDomain, Load, WorkerClock
from harness.records import from_json, to_json

NOTHING_SEEN = Second()


@dataclass(frozen=True, slots=True)
class Prepare:
    """What to send where, over how many connections; where to write the rows; which CPUs to use (none = as started).

    The engine polls instead of sleeping for at most `spin_us` before a due time, and while a request is in flight until
    `linger_us` after the last was sent: being woken takes tens of microseconds. 0 = sleep, for who shares his only CPU.

    Of `workers` that share one schedule, number `worker` takes every `workers`-th request, beginning with its own number.
    `histograms` asks for `Progress.seen`.
    """

    url: str
    connections: int
    timeout_s: float
    rows_file: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body_file: str = ""
    cacert: str = ""
    cpus: tuple[int, ...] = ()
    spin_us: int = 100
    linger_us: int = 200
    run_id: str = ""
    worker: int = 0
    workers: int = 1
    histograms: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """The schedule: it begins at `at_ns`; the window begins `load.warmup_s` later."""

    at_ns: int
    load: Load


@dataclass(frozen=True, slots=True)
class Ready:
    """All connections are open; the clocks of the workers, if there are any."""

    connections: int
    clocks: tuple[WorkerClock, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """Since the start: seconds, requests due, answered, failed. Now: `waiting` for a connection. Of the last second: `response_us`
    with p50, empty if nothing was answered. `seen` is what was finished since the last report, if histograms were asked for."""

    second: int
    due: int
    done: int
    errors: int
    waiting: int
    response_us: dict[str, float]
    seen: Second = NOTHING_SEEN


@dataclass(frozen=True, slots=True)
class Done:
    """Where the rows are, and what the engine's process used between the edges of the window, as they really were.

    `reasons` say why the rows may not be used, as far as only the engine can know: a worker that vanished, say.
    """

    rows_file: str
    window_start_ns: int
    window_end_ns: int
    over_ns: int
    cpu_ns: int
    run_delay_ns: int
    domain: ClockDomain
    domain_end: ClockDomain
    clocks: tuple[WorkerClock, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing can be measured; `message` is for the user, `blame` is usage or environment."""

    blame: str
    message: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End now, with what there is."""


@dataclass(frozen=True, slots=True)
class Meet:
    """Start the workers and bound their clocks; nothing else."""


_REQUESTS = {"prepare": Prepare, "start": Start, "stop": Stop, "meet": Meet}
_EVENTS = {"ready": Ready, "progress": Progress, "done": Done, "failed": Failed}
_NAMES: dict[type, tuple[str, str]] = {
    **{kind: ("do", name) for name, kind in _REQUESTS.items()},
    **{kind: ("event", name) for name, kind in _EVENTS.items()},
}

Request = Prepare | Start | Stop | Meet
Event = Ready | Progress | Done | Failed
M = TypeVar("M")


def encode(message: Request | Event) -> bytes:
    """One line."""
    key, name = _NAMES[type(message)]
    return json.dumps({key: name, **to_json(message)}).encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """What the engine is asked to do; EnvironmentFailure if the line is not of this protocol."""
    return _decode(line, "do", _REQUESTS)


def decode_event(line: bytes) -> Event:
    """What the engine says; EnvironmentFailure if the line is not of this protocol."""
    return _decode(line, "event", _EVENTS)


def _decode(line: bytes, key: str, kinds: dict[str, type[M]]) -> M:
    try:
        document: dict[str, Any] = json.loads(line)  # Any: JSON values
        return from_json(kinds[document[key]], document)
    except (ValueError, KeyError, TypeError) as error:
        raise EnvironmentFailure(
            f"engine and harness don't understand each other: {line[:200]!r} ({error}); are both of one version?"
        ) from error
