"""The access log as it lies beside the sidecars' other output: a line for every request at both sidecars, and what stands in it."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from harness.model.plan import replica_host
from harness.model.platform import Deployment
from harness.model.policy import LOGGED
from harness.model.run import Parity
from harness.probes.policy_ground import CALLER, SOLO, Ground

CALLS = 7
BODY = b"x" * 10
ANSWER_BYTES = 128
PATH = "/logged-by-the-probes"
WRITTEN_WITHIN_S = 4.0
ASK_AGAIN_S = 0.05
SIDES = {"outbound": replica_host(CALLER, 0), "inbound": replica_host(SOLO, 0)}
"""Which sidecar logs them in which direction."""

Json = dict[str, Any]  # Any: JSON values
Lines = dict[str, list[Json]]


def counted(lines: Lines) -> Parity:
    """As many lines as calls, at either sidecar, and at no other."""
    counts = {side: len(found) for side, found in lines.items()}
    fine = counts == dict.fromkeys(SIDES, CALLS)
    return Parity("access-log: a line per request", fine, f"{counts or 'no'} lines for {CALLS} calls")


def told(lines: Lines, peer: str) -> Parity:
    """Every line has every field, and what is known from outside agrees. `peer` is the caller's identity, "" without mTLS."""
    wrong = [f"{side}: {flaw}" for side, found in lines.items() for line in found for flaw in _flaws(side, line, peer)]
    fine = bool(lines) and not wrong
    return Parity(
        "access-log: fields", fine, "; ".join(dict.fromkeys(wrong)) or f"{', '.join(LOGGED)}" * fine or "no lines"
    )


def silent(lines: Lines) -> Parity:
    """Without it no sidecar writes a word of a request."""
    written = sum(map(len, lines.values()))
    return Parity("access-log: off, nothing is written", not written, f"{written} lines for {CALLS} calls")


def make_calls(ground: Ground) -> None:
    """What is to be found in the logs later, so that nobody has to wait for them to be written."""
    for _ in range(CALLS):
        ground.call(SOLO, PATH, body=BODY)


def prove(ground: Ground, *, on: bool, peer: str, clock_s: Callable[[], float] = time.monotonic) -> tuple[Parity, ...]:
    """Reads the logs; `make_calls` came before."""
    lines = read(ground.deployment)
    if not on:
        return (silent(lines),)
    give_up_s = clock_s() + WRITTEN_WITHIN_S
    while clock_s() < give_up_s and not counted(lines).passed:
        time.sleep(ASK_AGAIN_S)
        lines = read(ground.deployment)
    return counted(lines), told(lines, peer)


def read(deployment: Deployment) -> Lines:
    """The lines about the probes' calls, by direction; lines of other sidecars, or without one, by the unit's name."""
    found: Lines = {}
    for unit in deployment.plan.units:
        if unit.role == "sidecar":
            for line in _lines(deployment.log(unit.name)):
                side = str(line.get("direction"))
                found.setdefault(side if SIDES.get(side) == unit.host else unit.name, []).append(line)
    return found


def _lines(written: str) -> Iterator[Json]:
    for text in written.splitlines():
        if PATH in text:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"unreadable": text}
            yield line if isinstance(line, dict) else {"unreadable": text}


def _flaws(side: str, line: Json, peer: str) -> Iterator[str]:
    """What is wrong with one line."""
    if missing := [field for field in LOGGED if field not in line]:
        yield f"{', '.join(missing)} missing"
        return
    for field, due in _due(side, peer).items():
        if line[field] != due and not (due == "" and line[field] in (None, "-")):
            yield f"{field} {line[field]!r} instead of {due!r}"
    if not str(line["endpoint"]).partition(":")[2]:
        yield f"endpoint {line['endpoint']!r} is no address and port"
    if not isinstance(line["duration_us"], int) or line["duration_us"] <= 0:
        yield f"duration_us {line['duration_us']!r} is no time"
    if not _is_now(line["time"]):
        yield f"time {line['time']!r} is not that of the call"


def _due(side: str, peer: str) -> Json:
    sizes = {"bytes_in": len(BODY), "bytes_out": ANSWER_BYTES}
    known = {"direction": side, "method": "POST", "path": PATH, "host": SOLO, "status": 200, "flag": ""}
    return known | sizes | {"peer": peer if side == "inbound" else ""}


def _is_now(told: object) -> bool:
    """Within a few minutes: the proof takes seconds, and clocks agree on one machine."""
    try:
        return abs(float(str(told)) - time.time_ns() / 1e9) < 300
    except ValueError:
        return False
