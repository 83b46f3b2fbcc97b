"""The timer rings when its time has come."""

import select
import time

from harness.wire.timerfd import Timer


def test_the_timer_rings_after_its_time_once_for_each_arming() -> None:
    timer, epoll = Timer(), select.epoll()
    epoll.register(timer.fd, select.EPOLLIN | select.EPOLLET)
    for _ in range(2):
        at_ns = time.monotonic_ns() + 1_000_000
        timer.arm(at_ns)
        assert epoll.poll(5) == [(timer.fd, select.EPOLLIN)]
        assert time.monotonic_ns() >= at_ns
        assert epoll.poll(0) == []
    timer.arm(1)
    assert epoll.poll(5), "a time that has passed rings at once"
    epoll.close()
    timer.close()
