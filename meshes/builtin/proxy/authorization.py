"""Who may ask for what: the peer's SPIFFE id and the path, after everything is undone that could hide it. Pure.

Paths are compared as an application might read them at its most lenient: percent-encoding undone (once and again, until nothing is
left of it), backslashes taken for slashes, doubled slashes for one, dot segments resolved, case ignored, path parameters dropped.
"""

import re
from urllib.parse import unquote_to_bytes

from meshes.builtin.policies import Authorization

MAX_REMEMBERED = 1024
_SLASHES = re.compile(rb"[/\\]+")


class Guard:
    """Decides for one listener; what it decided is remembered by the request's head and peer."""

    __slots__ = ("_callers", "_denied", "_remembered")

    def __init__(self, config: Authorization) -> None:
        self._callers = frozenset(config.callers)
        self._denied = normalised(config.denied_prefix.encode())
        self._remembered: dict[tuple[str, bytes], str] = {}

    def objection(self, peer: str, lead: bytes) -> str:
        """Why the request is refused, "" if it isn't. `lead` begins with the request line."""
        key = (peer, lead)
        found = self._remembered.get(key)
        if found is None:
            found = self._decide(peer, lead.split(b" ", 2)[1])
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def _decide(self, peer: str, target: bytes) -> str:
        if peer not in self._callers:
            return f"{peer or 'a caller without identity'} may not call this service"
        path = normalised(target)
        if path == self._denied or path.startswith(self._denied + b"/"):
            return f"nobody may call {self._denied.decode('latin-1')}"
        return ""


def normalised(target: bytes) -> bytes:
    """The path of a request target, lower case, in the one form in which it is compared; never ends in a slash."""
    path = target.partition(b"?")[0]
    while (plain := unquote_to_bytes(path)) != path:
        path = plain
    kept: list[bytes] = []
    for segment in _SLASHES.split(path.partition(b"?")[0].partition(b"#")[0].lower()):
        name = segment.partition(b";")[0]
        if name == b"..":
            del kept[-1:]
        elif name not in (b"", b"."):
            kept.append(name)
    return b"/" + b"/".join(kept)
