"""What is true now: the compiled snapshots, and how far each proxy is. One writer; watchers wait for the next change."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from meshes.builtin.control.compiler import snapshots
from meshes.builtin.control.model import Inputs
from meshes.builtin.snapshot import Snapshot
from meshes.identity.names import spiffe_id


@dataclass(slots=True)
class ProxyStatus:
    """How far one proxy is. `acked` is the last version it took; `error` why it refused `sent`, "" if it didn't."""

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
        """Take new inputs; watchers whose snapshot differs will send it."""
        compiled = snapshots(inputs)
        self.inputs, self.snapshots, self.input_error = inputs, compiled, ""
        self.status = {name: self.status.get(name, ProxyStatus()) for name in inputs.proxies}
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Returns when the inputs have changed."""
        await self._changed.wait()

    def identity(self, name: str) -> str | None:
        """The SPIFFE id of a proxy; None if nobody has that name."""
        proxy = self.inputs.proxies.get(name)
        return None if proxy is None else spiffe_id(proxy.service)

    def document(self) -> dict[str, Any]:
        """As `/status` shows it; no token in it."""
        return {
            "input_error": self.input_error,
            "proxies": {
                name: asdict(status) | {"version": self.snapshots[name].version} for name, status in self.status.items()
            },
        }
