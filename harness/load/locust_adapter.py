"""`OpenLoopUser`: the open-loop engine as a Locust user class, and its seconds in Locust's statistics and web page.

The engine runs in a process of its own, because Locust's timers come half a millisecond late. What it sends follows from the class's
attributes. Locust sees one aggregate a second, not one event a request, so watching costs the same at any rate.
Importing this module imports Locust, which patches sockets and threads: only processes that run users may do so.
"""

import logging
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar, NoReturn, Protocol, cast

from gevent import GreenletExit
from locust import User, task
from locust.exception import StopUser
from locust.runners import WorkerRunner
from locust.stats import RequestStats, StatsEntry, StatsError

from harness.load.control import Engine, Sending, Share
from harness.load.messages import Progress
from harness.load.schedule import NS_PER_S
from harness.load.seconds import Second
from harness.model.errors import HoptaxError, UsageError
from harness.model.run import Load
from harness.wire.buckets import low, width

SESSION_S = 600.0
"""Without `--run-time` an engine runs for so long, then the next begins: its rows are held in memory."""
LEAD_NS = 150_000_000


class Conductor(Protocol):
    """Who tells an OpenLoopUser what to do and when; hoptax puts one into its workers' environments."""

    def conduct(self, user: "OpenLoopUser") -> None: ...


class OpenLoopUser(User):
    """Sends `rate_rps` requests a second when they are due, whether earlier ones were answered or not.

    Subclass it and set what differs. One user of this class is one engine: with `-u 2` two of them run, at twice the rate.
    hoptax runs one per worker; together they keep to `rate_rps`, and its options or an experiment's load win over the class.
    """

    abstract = True

    rate_rps: float = 100.0
    arrivals: str = "poisson"
    connections: int = 16
    timeout_s: float = 15.0
    seed: int = 1
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = {}
    body: bytes = b""
    cacert: str = ""

    _numbers: ClassVar[Any] = count()  # Any: mypy knows no type for a bare counter in a class

    @task
    def send_schedule(self) -> None:
        """What a user of this class does until it is stopped; nothing to override."""
        conductor = cast("Conductor", getattr(self.environment, "hoptax", None) or Alone())
        try:
            conductor.conduct(self)
        except HoptaxError as error:
            _end_test(self, error)

    def target_url(self) -> str:
        """Where requests go: `path` below the host that Locust was told (`-H`) or that the class names."""
        host = self.environment.host or self.host
        if not host:
            raise UsageError(f"{type(self).__name__} has no host: give -H http://HOST:PORT, or set `host` in the class")
        return host.rstrip("/") + self.path

    def sending(self, body_file: str) -> Sending:
        """What each request is; `body_file` holds `body`."""
        return Sending(self.method, tuple(self.headers.items()), body_file if self.body else "", self.cacert)

    def tell(self, seen: Second) -> None:
        """Put a second into Locust's statistics."""
        add_second(self.environment.stats, self.method, self.path, seen, time.time_ns())


class Alone:
    """Plain Locust: the class alone says how much, and Locust how long."""

    def conduct(self, user: OpenLoopUser) -> None:
        """One engine after another, until Locust stops the user."""
        number = next(OpenLoopUser._numbers)  # noqa: SLF001 - its own module
        run_s = getattr(user.environment.parsed_options, "run_time", None) or SESSION_S
        load = Load(
            rate_rps=user.rate_rps,
            warmup_s=0.0,
            window_s=float(run_s),
            connections=user.connections,
            arrivals=user.arrivals,
            seed=user.seed + number + 1000 * _worker_number(user),
            timeout_s=user.timeout_s,
        )
        with tempfile.NamedTemporaryFile() as body, Engine() as engine:
            body.write(user.body)
            body.flush()
            engine.prepare(user.target_url(), load, user.sending(body.name), share=Share())
            engine.start(time.monotonic_ns() + LEAD_NS, load)
            follow(user, engine)


def follow(user: OpenLoopUser, engine: Engine) -> None:
    """Put the engine's seconds into Locust's statistics until it has done; when Locust stops the user, end the engine first."""

    def say(progress: Progress) -> None:
        user.tell(progress.seen)

    try:
        engine.wait(say)
    except GreenletExit:
        engine.stop()
        engine.wait(say)
        raise


def _end_test(user: OpenLoopUser, error: HoptaxError) -> NoReturn:
    """Without an engine there is nothing to do; Locust by itself would try for ever, or say that all is well."""
    environment = user.environment
    logging.getLogger(__name__).error("%s", error)
    environment.process_exit_code = error.exit_code
    if environment.runner is not None:
        headless = getattr(environment.parsed_options, "headless", False)
        environment.runner.quit() if headless else environment.runner.stop()
    raise StopUser


def _worker_number(user: OpenLoopUser) -> int:
    """With `locust --processes` every worker counts its users from 0: without this all would send the same schedule."""
    runner = user.environment.runner
    return max(runner.worker_index, 0) if isinstance(runner, WorkerRunner) else 0


def add_second(stats: RequestStats, method: str, name: str, seen: Second, now_ns: int) -> None:
    """Count a second of requests as Locust would have counted each; times keep two digits below a millisecond too."""
    if not seen.finished:
        return
    now_s = now_ns / NS_PER_S
    times_ms = _times_ms(seen)
    for entry in (stats.total, stats.get(name, method)):
        _add(entry, seen, times_ms, now_s)
    for kind, times in seen.errors.items():
        key = StatsError.create_key(method, name, kind)
        error = stats.errors.setdefault(key, StatsError(method, name, kind))
        error.occurred()
        error.occurrences += times - 1


def _add(entry: StatsEntry, seen: Second, times_ms: Mapping[float, int], now_s: float) -> None:
    second, failed = int(now_s), sum(seen.errors.values())
    if entry.use_response_times_cache and entry.last_request_timestamp and second > int(entry.last_request_timestamp):
        entry._cache_response_times(second - 1)  # noqa: SLF001 - what StatsEntry.log does; the page's percentiles come from it
    entry.num_requests += seen.finished
    entry.num_none_requests += seen.finished - seen.answered
    entry.num_failures += failed
    entry.num_reqs_per_sec[second] += seen.finished
    if failed:
        entry.num_fail_per_sec[second] += failed
    entry.last_request_timestamp = now_s
    entry.total_content_length += seen.bytes_in
    if not seen.answered:
        return
    # Locust's annotations say int; it stores whatever a request event holds, which is a float of milliseconds.
    lowest, highest = cast("int", seen.min_ns / 1e6), cast("int", seen.max_ns / 1e6)
    entry.total_response_time += cast("int", seen.sum_ns / 1e6)
    entry.min_response_time = lowest if entry.min_response_time is None else min(entry.min_response_time, lowest)
    entry.max_response_time = max(entry.max_response_time, highest)
    for time_ms, times in times_ms.items():
        entry.response_times[cast("int", time_ms)] += times


def _times_ms(seen: Second) -> dict[float, int]:
    """Buckets as Locust keeps them: two digits are what its page shows, and few keys are what its workers send."""
    found: dict[float, int] = {}
    for bucket, times in seen.buckets.items():
        middle_ms = (low(bucket) + width(bucket) / 2) / 1e6
        key = float(f"{middle_ms:.1e}")
        found[key] = found.get(key, 0) + times
    return found
