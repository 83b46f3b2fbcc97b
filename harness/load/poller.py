"""Which descriptor is ready, and whom that concerns: epoll with a handler for each. It knows no protocol and no schedule."""

import select
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
EDGE = select.EPOLLET

Handler = Callable[[int], None]
"""Called with the events (READ, WRITE, EPOLLHUP, …) that were seen."""


class Poller:
    """Calls handlers. Each may close and reopen its own descriptor while it is called, but no other's."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        """Call `handler` whenever one of `events` is seen; replaces what was watched before on `fd`."""
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Before closing `fd`. Nothing happens if it isn't watched."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def poll(self, wait_s: float | None) -> None:
        """Call the handlers of what is ready; wait for it at most `wait_s` (None = until something is)."""
        handlers = self._handlers
        for fd, events in self._epoll.poll(wait_s, 64):
            handlers[fd](events)
