"""Doors into an app's own container: a call through one leaves the pod as the app's calls do, so what captures those captures it."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from harness.model.plan import APP_PORT
from harness.model.platform import Endpoint
from harness.platforms.tunnel import Tunnel

SERVE = ("python", "-m", "harness.platforms.agent", "serve")
FIRST_PORT = 20001
"""Of our own loopback address for the host, beside the ports of its units."""


class Inside:
    """A second agent, run by `command` in that container. A context."""

    def __init__(self, command: Sequence[str], address: str) -> None:
        self._tunnel = Tunnel((*command, *SERVE))
        self._address = address
        self._doors: dict[str, Endpoint] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._tunnel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def door(self, callee: str) -> Endpoint:
        """Leads to that service by its name, as the app finds it."""
        if callee not in self._doors:
            here = (self._address, FIRST_PORT + len(self._doors))
            self._tunnel.open_doors({here: (callee, APP_PORT)})
            self._doors[callee] = here
        return self._doors[callee]
