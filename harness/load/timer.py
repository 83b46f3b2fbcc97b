"""Waking up on time: a timerfd on CLOCK_MONOTONIC, and how long before a due time it should ring. It schedules nothing itself."""

import ctypes
import os

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
NS_PER_S = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.timerfd_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Setting), ctypes.c_void_p)


class Timer:
    """A file descriptor that becomes readable at the armed time: nanoseconds where event loops count in milliseconds.

    Wait for it edge-triggered: then it needs no reading, and arming it again makes the next edge.
    """

    def __init__(self) -> None:
        self.fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _Setting()
        self._reference = ctypes.byref(self._setting)

    def arm(self, at_ns: int) -> None:
        """Ring at `at_ns` (CLOCK_MONOTONIC); at once if that has passed. Replaces the time set before."""
        value = self._setting.value
        value.seconds, value.nanoseconds = divmod(max(at_ns, 1), NS_PER_S)
        if _libc.timerfd_settime(self.fd, _ABSOLUTE, self._reference, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)


class Margin:
    """How long before a due time to be woken: about the 95th percentile of how late this machine wakes us.

    The time between waking and due is spent polling, so answers that come meanwhile are seen at once. After each wake the
    margin grows by `GROW_NS` when the wake was later than it, else shrinks by `SHRINK_NS`: it settles where
    P(later) = SHRINK/(GROW + SHRINK), whatever the size of outliers.
    """

    GROW_NS = 1900
    SHRINK_NS = 100

    def __init__(self, most_ns: int) -> None:
        self._most_ns = most_ns
        self.ns = most_ns // 2

    def woke(self, late_ns: int) -> None:
        """Learn from one wake-up, `late_ns` after it was asked for."""
        step = self.GROW_NS if late_ns > self.ns else -self.SHRINK_NS
        self.ns = min(max(self.ns + step, 0), self._most_ns)
