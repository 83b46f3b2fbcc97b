"""Trace context as the callee's app reads it: the caller's trace with another span, or a new trace; untouched without tracing."""

import re

from harness.model.plan import replica_host
from harness.model.run import Parity
from harness.probes import observe
from harness.probes.policy_ground import SOLO, Ground

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = "traceparent"
SHAPE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


def parent(flags: str) -> str:
    """What the caller sends."""
    return f"00-{TRACE}-{SPAN}-{flags}"


def continued(seen: dict[str, str | None]) -> Parity:
    """By flags: the caller's trace and flags, with a span of a sidecar's own."""
    found = {flags: SHAPE.fullmatch(header or "") for flags, header in seen.items()}
    fine = bool(found) and all(
        match is not None and (match[1], match[3]) == (TRACE, flags) and match[2] != SPAN
        for flags, match in found.items()
    )
    return Parity("tracing: trace continued with an own span", fine, _listed(seen))


def begun(first: str | None, second: str | None) -> Parity:
    """A request without one gets a trace, another one each time, that isn't sampled."""
    matches = [SHAPE.fullmatch(header or "") for header in (first, second)]
    flags = [match[3] for match in matches if match]
    fine = flags == ["00", "00"] and len({match[1] for match in matches if match}) == 2
    return Parity("tracing: trace begun", fine, f"{first or 'absent'}, then {second or 'absent'}")


def untouched(seen: dict[str, str | None], without: str | None) -> Parity:
    """Without tracing the app's own context arrives as it was sent, and none where none was."""
    fine = without is None and all(header == parent(flags) for flags, header in seen.items())
    return Parity("tracing: off, trace context untouched", fine, f"{_listed(seen)}; without: {without or 'absent'}")


def prove(ground: Ground, *, on: bool) -> tuple[Parity, ...]:
    """Calls with and without a context."""
    seen = {flags: _arrived(ground, {HEADER: parent(flags)}) for flags in ("00", "01")}
    without = [_arrived(ground, {}) for _ in range(2)]
    if on:
        return continued(seen), begun(*without)
    return (untouched(seen, without[0]),)


def _arrived(ground: Ground, headers: dict[str, str]) -> str | None:
    ground.call(SOLO, headers=headers)
    return observe.served(ground.deployment)[replica_host(SOLO, 0)].headers.get(HEADER)


def _listed(seen: dict[str, str | None]) -> str:
    return ", ".join(f"{parent(flags)} arrived as {header or 'absent'}" for flags, header in seen.items())
