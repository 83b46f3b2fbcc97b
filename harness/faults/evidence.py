"""Whether a fault acted, judged by what was seen of it. Pure."""

from collections.abc import Mapping, Sequence

from harness.model.fault import TOUCHED

_MEANING = {
    TOUCHED: "no request was lost or late while it acted: does the target have traffic?",
    "stopped": "the target's processes weren't stopped",
    "connections_closed": "no connection to the target was closed by it",
    "delayed": "the interposer held nothing back: does the hop have traffic?",
}


def missing(must_see: Sequence[str], seen: Mapping[str, int]) -> tuple[str, ...]:
    """Why it can't be said that the fault acted: one reason for each thing not seen. Empty if it acted."""
    return tuple(_MEANING.get(name, f"nothing was seen of {name!r}") for name in must_see if seen.get(name, 0) <= 0)
