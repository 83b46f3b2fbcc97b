"""What is true now: the compiled snapshots, and how far each proxy is. One writer; watchers wait for what concerns them."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from meshes.builtin.control.compiler import snapshots
from meshes.builtin.control.model import Inputs
from meshes.builtin.snapshot import Snapshot


@dataclass(slots=True)
class ProxyStatus:
    """How far one proxy is: `connected` watches, the versions it was `sent` and last took, and why it refused one ("" if it didn't)."""

    connected: int = 0
    sent: int = 0
    acked: int = 0
    error: str = ""


class State:
    """Inputs, compiled; rebuilt as a whole and swapped by one reference.

    There may be several meshes side by side, by name; a proxy of mesh `m` is then known as `PROXY.m`. `inputs` is the mesh without
    a name.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.input_error = ""
        self._changed = asyncio.Event()
        self.status: dict[str, ProxyStatus] = {}
        self._take(inputs, {"": inputs})

    def update(self, inputs: Inputs) -> None:
        """Take new inputs. Watchers wake; those whose snapshot differs send it."""
        self.update_meshes(inputs, {"": inputs})

    def update_meshes(self, inputs: Inputs, meshes: Mapping[str, Inputs]) -> None:
        """As `update`, for several meshes."""
        self._take(inputs, meshes)
        self._changed.set()
        self._changed = asyncio.Event()

    def _take(self, inputs: Inputs, meshes: Mapping[str, Inputs]) -> None:
        compiled = {
            f"{proxy}.{mesh}" if mesh else proxy: (snapshot, given.leaf_lifetime_s)
            for mesh, given in meshes.items()
            for proxy, snapshot in snapshots(given).items()
        }
        self.inputs, self.input_error = inputs, ""
        self.snapshots: dict[str, Snapshot] = {name: snapshot for name, (snapshot, _) in compiled.items()}
        self._lifetimes_s = {name: lifetime_s for name, (_, lifetime_s) in compiled.items()}
        self.status = {name: self.status.get(name) or ProxyStatus() for name in compiled}

    async def changed(self, name: str, version: int, within_s: float) -> None:
        """Returns when the proxy's snapshot has another version, the proxy is gone, or the time is over."""
        try:
            async with asyncio.timeout(within_s):
                while name in self.snapshots and self.snapshots[name].version == version:
                    await self._changed.wait()
        except TimeoutError:
            return

    def resumed(self, name: str, version: int) -> None:
        """A proxy came back with that version in force: as good as an acknowledgement of it, which is sent only once."""
        if version == self.snapshots[name].version:
            self.status[name].sent = version
            self.acknowledged(name, version, "")

    def acknowledged(self, name: str, version: int, error: str) -> None:
        """A proxy has taken that version, or says in `error` why it hasn't."""
        status = self.status[name]
        status.error = error
        if not error:
            status.acked = version

    def identity(self, name: str) -> str | None:
        """The SPIFFE id of a proxy; None if nobody has that name."""
        snapshot = self.snapshots.get(name)
        return None if snapshot is None else snapshot.spiffe_id

    def lifetime_s(self, name: str) -> int:
        """How long the certificate of a proxy lives."""
        return self._lifetimes_s.get(name, self.inputs.leaf_lifetime_s)

    def document(self) -> dict[str, Any]:  # Any: JSON values
        """As `/status` shows it; no token in it."""
        return {
            "input_error": self.input_error,
            "proxies": {
                name: asdict(status) | {"version": self.snapshots[name].version} for name, status in self.status.items()
            },
        }
