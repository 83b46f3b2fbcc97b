"""What a load worker does for closed-loop users: lets them begin at the barrier, and records each request in nanoseconds.

Locust's table rounds times to two digits of milliseconds; here every request is a row. A request's time is what Locust's client
measured with perf_counter (CLOCK_MONOTONIC on Linux), before any rounding; its beginning is stamped as the client begins to send.
Locust's own clock starts a little earlier, so an end counted from our stamp is held to the moment at which it was reported.
"""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event as Flag
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment

from harness.load.accounts import Edge, clock_domain, edge
from harness.load.journal import Journal, error_kind
from harness.load.locust_schedule import STOPPED
from harness.load.merging import raw_columns
from harness.load.messages import Done, Event, Prepare, Progress, Ready, Start
from harness.load.rows import write_raw
from harness.load.schedule import NS_PER_S

LOOK_EVERY_S = 0.01
SPIN_NS = 2_000_000
"""Locust's timers come up to a millisecond late: the last bit before the barrier is waited for without one."""
MOST_LATE_NS = 5_000_000
MOST_CPU_SHARE = 0.9


class Recorder:
    """Stamps requests of Locust's HTTP clients as they are sent, and keeps them as they are reported."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self.journal = Journal()
        self._clock_ns = clock_ns
        self._stamps: dict[Any, tuple[int, int]] = {}
        self.in_flight: dict[Any, tuple[str, int]] = {}
        self._numbers: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._count = count()

    def attach(self, environment: Environment) -> None:
        """From now on. Both clients send through a method of the same name, so that is where the stamp is taken."""
        for session in (FastHttpSession, HttpSession):
            session._send_request_safe_mode = self._stamped(session._send_request_safe_mode)  # type: ignore[method-assign]  # noqa: SLF001
        environment.events.request.add_listener(self._reported)

    def user(self, greenlet: Any) -> int:
        """A number for whoever waits for a request."""
        if greenlet not in self._numbers:
            self._numbers[greenlet] = next(self._count)
        return self._numbers[greenlet]

    def _stamped(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def stamped(session: Any, method: str, url: str, **options: Any) -> Any:
            greenlet, sent_ns = gevent.getcurrent(), self._clock_ns()
            self.in_flight[greenlet] = (f"{method} {urlsplit(url).path}", sent_ns)
            self._stamps[greenlet] = (sent_ns, 0)
            response = send(session, method, url, **options)
            self._stamps[greenlet] = (sent_ns, self._clock_ns())
            return response

        return stamped

    def _reported(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int,
        response: Any = None,
        exception: BaseException | None = None,
        **_more: Any,
    ) -> None:
        greenlet, now_ns = gevent.getcurrent(), self._clock_ns()
        took_ns = round((response_time or 0.0) * 1e6)
        sent_ns, first_byte_ns = self._stamps.pop(greenlet, (now_ns - took_ns, 0))
        self.in_flight.pop(greenlet, None)
        status = int(getattr(response, "status_code", 0) or 0)
        done_ns = min(sent_ns + took_ns, now_ns)
        self.journal.finished(
            f"{request_type} {name}",
            self.user(greenlet),
            sent_ns,
            min(first_byte_ns, done_ns) if status else 0,
            done_ns,
            status,
            error_kind(status, exception),
            int(response_length or 0),
        )


class JourneySession:
    """Users wait before their first step until the barrier opens; from the end of the window on, new requests don't count."""

    def __init__(self, environment: Environment, say: Callable[[Event], None], worker: int) -> None:
        self._environment, self._say, self._worker = environment, say, worker
        self._recorder = Recorder(time.monotonic_ns)
        self._gate, self._stopped = Flag(), Flag()
        self._at_gate: set[Any] = set()
        self._exceptions: list[str] = []

    def prepare(self, asked: Prepare) -> None:
        """Before any user is there."""
        self._asked = asked
        self._recorder.attach(self._environment)
        self._environment.events.user_error.add_listener(self._raised)
        self._environment.events.test_stopping.add_listener(lambda **_: self._say(STOPPED))
        for user in self._environment.user_classes:
            user.on_start = self._gated(user.on_start)  # type: ignore[method-assign, assignment]
        for user in self._environment.user_classes:
            for limit in ("network_timeout", "connection_timeout"):
                if hasattr(user, limit):
                    setattr(user, limit, min(getattr(user, limit), asked.timeout_s))

    def start(self, start: Start) -> None:
        """The whole run, in a greenlet of its own."""
        gevent.spawn(self._run, start)

    def stop(self) -> None:
        """End now, with what there is."""
        self._stopped.set()

    def _gated(self, on_start: Callable[[Any], None]) -> Callable[[Any], None]:
        def waits(user: Any) -> None:
            self._at_gate.add(user)
            self._say(Ready(len(self._at_gate)))
            self._gate.wait()
            on_start(user)

        return waits

    def _raised(self, user_instance: Any, exception: BaseException, tb: Any) -> None:
        del user_instance
        while tb.tb_next is not None:
            tb = tb.tb_next
        where = f"{Path(tb.tb_frame.f_code.co_filename).name}, line {tb.tb_lineno}"
        self._exceptions.append(f"{type(exception).__name__}: {exception} ({where})")

    def _run(self, start: Start) -> None:
        load = start.load
        window_ns = start.at_ns + round(load.warmup_s * NS_PER_S)
        over_ns = window_ns + round(load.window_s * NS_PER_S)
        domain = clock_domain()
        late_ns = self._open_gate(start.at_ns)
        self._until(window_ns, start.at_ns)
        first = edge()
        self._until(over_ns, start.at_ns)
        last = edge()
        end_ns = min(over_ns, last.at_ns)
        gevent.spawn(self._end_users, load.drain_s)
        self._drain(end_ns, end_ns + round(load.drain_s * NS_PER_S))
        self._progress((time.monotonic_ns() - start.at_ns) // NS_PER_S)
        self._say(self._done(window_ns, end_ns, first, last, late_ns, domain))

    def _open_gate(self, at_ns: int) -> int:
        gevent.sleep(max(0.0, (at_ns - SPIN_NS - time.monotonic_ns()) / NS_PER_S))
        while (now_ns := time.monotonic_ns()) < at_ns:
            pass
        self._gate.set()
        return now_ns - at_ns

    def _until(self, until_ns: int, at_ns: int) -> None:
        """Wait, and say once a second how it goes."""
        while not self._stopped.is_set() and (now_ns := time.monotonic_ns()) < until_ns:
            next_ns = at_ns + ((now_ns - at_ns) // NS_PER_S + 1) * NS_PER_S
            self._stopped.wait((min(next_ns, until_ns) - now_ns) / NS_PER_S)
            if (now_ns := time.monotonic_ns()) >= next_ns:
                self._progress((now_ns - at_ns) // NS_PER_S)

    def _progress(self, second: int) -> None:
        journal = self._recorder.journal
        sent, seen = len(journal) + len(self._recorder.in_flight), journal.second()
        done = len(journal) - journal.failed
        self._say(Progress(second, sent, done, journal.failed, waiting=0, response_us={}, seen=seen))

    def _end_users(self, drain_s: float) -> None:
        """Each may finish the task it is in; what it sends from now on doesn't count."""
        runner = self._environment.runner
        assert runner is not None
        self._environment.stop_timeout = drain_s
        runner.stop_users(runner.user_classes_count)

    def _drain(self, end_ns: int, until_ns: int) -> None:
        while self._open(end_ns) and time.monotonic_ns() < until_ns:
            gevent.sleep(LOOK_EVERY_S)

    def _open(self, end_ns: int) -> list[tuple[Any, str, int]]:
        return [(who, name, sent) for who, (name, sent) in self._recorder.in_flight.items() if sent < end_ns]

    def _done(self, window_ns: int, end_ns: int, first: Edge, last: Edge, late_ns: int, domain: Any) -> Done:
        recorder, asked = self._recorder, self._asked
        for who, name, sent_ns in self._open(end_ns):
            recorder.journal.unfinished(name, recorder.user(who), sent_ns)
        rows = recorder.journal.rows(asked.run_id, self._worker, asked.workers, window_ns, end_ns)
        with Path(asked.rows_file).open("wb") as file:
            write_raw(file, rows.run_id, rows.names, len(rows), raw_columns(rows))
        return Done(
            asked.rows_file,
            first.at_ns,
            last.at_ns,
            time.monotonic_ns(),
            last.cpu_ns - first.cpu_ns,
            last.run_delay_ns - first.run_delay_ns,
            domain,
            clock_domain(),
            reasons=reasons(self._worker, late_ns, last, first, self._exceptions),
        )


def reasons(worker: int, late_ns: int, last: Edge, first: Edge, exceptions: list[str]) -> tuple[str, ...]:
    """Why this worker's rows may not be used."""
    found = []
    if late_ns > MOST_LATE_NS:
        found.append(
            f"load worker {worker} began {late_ns / 1e6:.1f} ms late (allowed {MOST_LATE_NS / 1e6:g} ms): give it a CPU"
        )
    share = (last.cpu_ns - first.cpu_ns) / max(1, last.at_ns - first.at_ns)
    if share > MOST_CPU_SHARE:
        found.append(
            f"load worker {worker} used {share:.0%} of a CPU (allowed {MOST_CPU_SHARE:.0%}), so its users waited for it: "
            "take fewer users or more workers"
        )
    if exceptions:
        found.append(f"users raised {len(exceptions)} exceptions, first {exceptions[0]}: mend the locustfile")
    return tuple(found)
