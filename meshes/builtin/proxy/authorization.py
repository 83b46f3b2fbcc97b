"""Who may ask for what: the peer's SPIFFE id and the path, however it is spelled. Pure.

The path goes on as it came, and nobody knows how the app reads it: whether it undoes percent-encoding before or after it splits at
slashes, once or twice, whether it resolves dot segments, takes a backslash for a slash, drops path parameters. So a path is refused if
there is any reading in which it lies below the denied one, not just in the most common.
"""

import re
from urllib.parse import unquote_to_bytes

from meshes.builtin.policies import Authorization

MAX_REMEMBERED = 1024
MAX_REMEMBERED_BYTES = 1024
"""A longer head is decided anew each time: peers choose the heads, and what is remembered of them has to be bounded."""
MAX_ENCODINGS = 8
"""A path that is percent-encoded more often over is refused: nobody needs that, and undoing it would take as long as it is long."""

_SLASHES = re.compile(rb"[/\\]+")
_NAME_ENDS = re.compile(rb"[;?#\0]")
"""Where a segment's name may be over: parameters, a query or fragment that was encoded, the end of a C string."""
_PLAIN = re.compile(rb"(?:/(?!\.)[A-Za-z0-9._~:@!$&'()*+,=-]+)*/?")
"""Paths that can be read in one way only."""
_SKIPPED = b"\t\r\n"
"""Readers of URLs by the WHATWG's rules take these out."""


class Guard:
    """Decides for one listener; what it decided is remembered by the request's head and peer."""

    __slots__ = ("_callers", "_denied", "_remembered")

    def __init__(self, config: Authorization) -> None:
        self._callers = frozenset(config.callers)
        self._denied = segments(config.denied_prefix.encode()) or []
        self._remembered: dict[tuple[str, bytes], str] = {}

    def objection(self, peer: str, lead: bytes) -> str:
        """Why the request is refused, "" if it isn't. `lead` begins with the request line."""
        key = (peer, lead)
        found = self._remembered.get(key)
        if found is None:
            found = self._decide(peer, lead.split(b" ", 2)[1])
            if len(lead) <= MAX_REMEMBERED_BYTES:
                if len(self._remembered) >= MAX_REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = found
        return found

    def objection_to_bytes(self, peer: str) -> str:
        """Why a connection without requests is refused: there is no path that could be denied."""
        return "" if peer in self._callers else f"{peer or 'a caller without identity'} may not call this service"

    def _decide(self, peer: str, target: bytes) -> str:
        if objection := self.objection_to_bytes(peer):
            return objection
        found = segments(target)
        if found is None:
            return f"the path is percent-encoded more than {MAX_ENCODINGS} times over"
        if _may_lie_below(found, self._denied):
            return f"nobody may call /{b'/'.join(self._denied).decode('latin-1')}"
        return ""


def segments(target: bytes) -> list[bytes] | None:
    """The names of a path's segments, dot segments among them, split wherever some reader may split and with nothing that some reader
    leaves out; lower case. None if it is percent-encoded too often over."""
    path = target.partition(b"?")[0].lower()
    if _PLAIN.fullmatch(path):
        return [name for name in path.split(b"/") if name]
    for _ in range(MAX_ENCODINGS):
        if (decoded := unquote_to_bytes(path)) == path:
            break
        path = decoded.lower()
    else:
        return None
    names = (_NAME_ENDS.split(segment, 1)[0] for segment in _SLASHES.split(path.translate(None, _SKIPPED)))
    return [name for name in names if name]


def _may_lie_below(found: list[bytes], denied: list[bytes]) -> bool:
    """Whether any reading of the path begins with these segments. A reading can only leave segments out, and only where there are dot
    segments can it leave out some at the front: then it is enough that the denied ones are there, in this order."""
    if b".." in found or b"." in found:
        rest = iter(found)
        return all(name in rest for name in denied)
    return found[: len(denied)] == denied
