"""Waking up on time: a timerfd on CLOCK_MONOTONIC, nanoseconds where event loops count in milliseconds. It schedules nothing itself."""

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
    """A file descriptor that becomes readable at the armed time.

    Wait for it edge-triggered, and it needs no reading: arming it again makes the next edge. Level-triggered loops read it.
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
