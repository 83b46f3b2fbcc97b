"""A request's endpoint by what the request says: the key, and the balancer that follows it. Loaded only where it is asked for."""

import re
from array import array
from collections.abc import Callable, Sequence

from meshes.builtin.policies_balancing import TABLE_SIZE, Hash
from meshes.builtin.proxy.balancers import Asker, Each, Random
from meshes.builtin.proxy.balancing import Choose
from meshes.builtin.proxy.maglev import first, table

Key = Callable[[Asker], bytes]


class Maglev(Random[Each]):
    """The same one for the same key; any for a request without one."""

    __slots__ = ("_every", "_key", "_names", "_size", "_table")

    def __init__(self, choose: Choose, config: Hash) -> None:
        super().__init__(choose)
        self._key = key(config)
        self._size = config.table_size or TABLE_SIZE
        self._names: list[str] = []
        self._every: Sequence[Each] = ()
        self._table: array[int] = array("i")

    def refresh(self, every: Sequence[Each], well: Sequence[Each]) -> None:
        """The table is filled anew only if other endpoints are there, not if one of them is out."""
        self._every, self._well = every, well
        names = [each.name for each in every]
        if names != self._names:
            self._names, self._table = names, table(names, self._size)

    def pick(self, asker: Asker | None) -> Each:
        found = b"" if asker is None else self._key(asker)
        if not found:
            return super().pick(asker)
        every, well = self._every, self._well
        return every[first(self._table, found, lambda index: every[index] in well)]


def key(config: Hash) -> Key:
    """How a request's key is found; it is empty where the request has none."""
    if config.on == "source" or config.name is None:
        return lambda asker: asker.source
    name = re.escape(config.name.encode())
    if config.on == "header":
        header = re.compile(rb"\r\n%b:[ \t]*([^\r]*?)[ \t]*\r\n" % name, re.IGNORECASE)
        return lambda asker: _found(header.search(asker.lead))
    cookie = re.compile(rb"\r\n(?i:cookie):(?:[^\r]*;)?[ \t]*%b=([^;\r]*?)[ \t]*[;\r]" % name)
    return lambda asker: _found(cookie.search(asker.lead))


def _found(match: re.Match[bytes] | None) -> bytes:
    return match[1] if match else b""
