"""What is true now: the compiled snapshots, and how far each proxy is. One writer; watchers wait for what concerns them."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from meshes.builtin.control.compiler import snapshots
from meshes.builtin.control.model import Inputs
from meshes.builtin.snapshot import Snapshot
from meshes.identity.names import spiffe_id


@dataclass(slots=True)
class ProxyStatus:
    """How far one proxy is: `connected` watches, the versions it was `sent` and last took, and why it refused one ("" if it didn't)."""

    connected: int = 0
    sent: int = 0
    acked: int = 0
    error: str = ""


class State:
    """Inputs, compiled; rebuilt as a whole and swapped by one reference."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.snapshots: dict[str, Snapshot] = snapshots(inputs)
        self.status: dict[str, ProxyStatus] = {name: ProxyStatus() for name in inputs.proxies}
        self.input_error = ""
        self._changed = asyncio.Event()

    def update(self, inputs: Inputs) -> None:
        """Take new inputs. Watchers wake; those whose snapshot differs send it."""
        compiled = snapshots(inputs)
        self.inputs, self.snapshots, self.input_error = inputs, compiled, ""
        self.status = {name: self.status.get(name) or ProxyStatus() for name in inputs.proxies}
        self._changed.set()
        self._changed = asyncio.Event()

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
        proxy = self.inputs.proxies.get(name)
        return None if proxy is None else spiffe_id(proxy.service)

    def document(self) -> dict[str, Any]:  # Any: JSON values
        """As `/status` shows it; no token in it."""
        return {
            "input_error": self.input_error,
            "proxies": {
                name: asdict(status) | {"version": self.snapshots[name].version} for name, status in self.status.items()
            },
        }
