"""Certificates with keys for those who can't make a key and a request themselves: Envoys, and our own gRPC port.

Envoy takes its certificate and key from the control plane (SDS) and can't sign a request, so the key is made here, by a short-lived
helper, and leaves only over the stream on which the Envoy proved its name. On disk it is for the moment of being handed over.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from meshes.builtin.control.signing import Signer
from meshes.builtin.control.xds_world import Leaf

Holder = tuple[str, str]
"""Name and SPIFFE id."""


class Leaves:
    """The current certificate of each holder, renewed when it is asked for in the second half of its life.

    `folder` is where helpers hand keys over; `lifetime_s` is what a new certificate of a name is to have; `wall_s` is Unix time.
    """

    def __init__(
        self, signer: Signer, folder: Path, lifetime_s: Callable[[str], float], wall_s: Callable[[], float]
    ) -> None:
        self._signer = signer
        self._folder = folder
        self._lifetime_s = lifetime_s
        self._wall_s = wall_s
        self._leaves: dict[Holder, Leaf] = {}
        self._making: WeakValueDictionary[Holder, asyncio.Lock] = WeakValueDictionary()

    async def leaf(self, holder: Holder) -> Leaf:
        """A certificate in the first half of its life. SigningError, RefusedRequestError, OSError: none could be made."""
        lock = self._making.setdefault(holder, asyncio.Lock())
        async with lock:
            found = self._leaves.get(holder)
            if found is None or self.fresh_s(found) <= 0:
                found = await self._make(*holder)
                self._leaves = {each: leaf for each, leaf in self._leaves.items() if self._valid(leaf)}
                self._leaves[holder] = found
            return found

    def held(self, holder: Holder) -> Leaf | None:
        """The newest certificate there is, even one that is to be renewed."""
        found = self._leaves.get(holder)
        return found if found is not None and self._valid(found) else None

    def fresh_s(self, leaf: Leaf) -> float:
        """How long until it is to be renewed."""
        return leaf.renew_at_s - self._wall_s()

    def _valid(self, leaf: Leaf) -> bool:
        return leaf.not_after_s > self._wall_s()

    async def _make(self, name: str, spiffe_id: str) -> Leaf:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            request = await self._signer.request(Path(folder), spiffe_id)
            signed = await self._signer.sign(request, spiffe_id, self._lifetime_s(name))
            key = _handed_over(Path(folder))
        half_s = (signed.not_after_s - self._wall_s()) / 2
        return Leaf(key, signed.chain, signed.bundle, signed.not_after_s, signed.not_after_s - half_s)


def _handed_over(folder: Path) -> str:
    return (folder / "key.pem").read_text()
