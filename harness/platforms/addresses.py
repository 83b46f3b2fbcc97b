"""Loopback addresses of hosts: each gets one of its own in 127.77.0.0/16, so that all units use the same ports as in a cluster.

Linux accepts every address of 127/8 without set-up. Two runs on one machine take different blocks 127.77.x.0/24; a block is
held by an abstract Unix socket, which the kernel frees with the last process that has it, however that ends. The supervisor has it
too, so that nobody gets the addresses of a killed run before its units have ended.
"""

import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from harness.model.errors import EnvironmentFailure

BLOCKS = 256
HOSTS_PER_BLOCK = 254


class AddressBlock:
    """A context that holds one block of addresses."""

    def __init__(self, prefix: str = "127.77") -> None:
        self._prefix = prefix
        self._socket, self._block = self._take()

    def _take(self) -> tuple[socket.socket, int]:
        for block in range(BLOCKS):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0hoptax {self._prefix}.{block}")
            except OSError:
                claim.close()
                continue
            return claim, block
        raise EnvironmentFailure(f"all {BLOCKS} address blocks {self._prefix}.x are in use: end another hoptax run")

    def assign(self, hosts: Sequence[str]) -> dict[str, str]:
        """Host → IP address, by order of mention."""
        if len(hosts) > HOSTS_PER_BLOCK:
            raise EnvironmentFailure(
                f"the plan has {len(hosts)} hosts, one machine carries {HOSTS_PER_BLOCK}: use fewer replicas"
            )
        return {host: f"{self._prefix}.{self._block}.{number}" for number, host in enumerate(hosts, start=1)}

    def fileno(self) -> int:
        """The claim, to be shared with a process that outlives this one."""
        return self._socket.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
