"""W3C trace context: every request goes on with a span of our own in the caller's trace, or in a new one. Pure: chance is passed in.

https://www.w3.org/TR/trace-context/: `traceparent` is version, trace id, span id and flags in lower-case hex. What can't be read in
one way (malformed, there twice, all zeros) is as if it were not there. `tracestate` is passed on with its trace, dropped with none.
"""

import re
from collections.abc import Callable

from meshes.builtin.policies import Tracing

_FIELD = re.compile(rb"\r\ntraceparent:([^\r\n]*)(?=\r\n|\Z)", re.IGNORECASE)
"""The white space around the value is taken off later: looked for here, a line full of it would cost the square of its length."""
_STATE = re.compile(rb"\r\ntracestate:[^\r\n]*(?=\r\n|\Z)", re.IGNORECASE)
_VALUE = re.compile(rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_OURS = re.compile(rb"00-[0-9a-f-]{52}")


class Tracer:
    """One listener's part in traces. `chance` gives a whole number of 64 bits."""

    __slots__ = ("_chance", "_sampled_below")

    def __init__(self, config: Tracing, chance: Callable[[], int]) -> None:
        self._chance = chance
        self._sampled_below = int(config.sampled_share * (1 << 64))

    def continued(self, head: bytes) -> tuple[bytes, bytes]:
        """The head without its trace context, so that it can be remembered, and the field line that goes in its place."""
        found = [value.strip(b" \t") for value in _FIELD.findall(head)]
        if not found:
            return _STATE.sub(b"", head) if b"race" in head else head, self._begun()
        head = _FIELD.sub(b"", head)
        value = _VALUE.fullmatch(found[0]) if len(found) == 1 else None
        if value is None or (found[0][:2] == b"00" and not _OURS.fullmatch(found[0])):
            return _STATE.sub(b"", head), self._begun()
        flags = b"01" if int(value[3], 16) & 1 else b"00"
        return head, b"traceparent: 00-%b-%016x-%b\r\n" % (value[1], self._chance() or 1, flags)

    def _begun(self) -> bytes:
        chance = self._chance
        flags = b"01" if self._sampled_below and chance() < self._sampled_below else b"00"
        return b"traceparent: 00-%016x%016x-%016x-%b\r\n" % (chance() or 1, chance(), chance() or 1, flags)
