"""What each feature means, in numbers: the same for every mesh, so that two arms with a feature differ in nothing but who does it.

A setting is obeyed only by arms that have the feature; times in seconds, shares from 0 to 1. The defaults are what production
meshes commonly start with, and are listed with their reasons in docs/features.md.
"""

from dataclasses import dataclass

LOGGED = (
    *("time", "direction", "method", "path", "host", "status", "flag"),
    *("duration_us", "bytes_in", "bytes_out", "endpoint", "peer"),
)
"""`access-log`: the fields of a line, one JSON object in the sidecar's output for every request that is over, within two seconds.

`time` is Unix time in seconds; `direction` is inbound or outbound; `flag` says why the sidecar answered itself, if it did; bytes are
those of the bodies; `endpoint` is where the request went; `peer` is the caller's SPIFFE id. What there is none of is "", "-" or null.
"""


@dataclass(frozen=True, slots=True)
class Retry:
    """`retries`: by the caller's sidecar, on the next endpoint, when connecting failed, the connection broke before any answer, the
    answer was 502, 503 or 504, or a try took longer than `per_try_timeout_s`.

    `attempts` are tries beyond the first. At most `budget_share` of the requests in flight to a callee may be retries, but always
    `budget_least`. Waits are random between 0 and base, twice base, … up to `backoff_most_s`. A request whose body is longer than
    the buffer is tried once.
    """

    attempts: int = 2
    per_try_timeout_s: float = 5.0
    budget_share: float = 0.2
    budget_least: int = 3
    backoff_base_s: float = 0.025
    backoff_most_s: float = 0.25


@dataclass(frozen=True, slots=True)
class Breaker:
    """`circuit-breaking`, per callee and sidecar: so many connections, and so many requests that wait for one; more are answered 503."""

    max_connections: int = 64
    max_pending: int = 64


@dataclass(frozen=True, slots=True)
class Ejection:
    """`outlier-ejection`: an endpoint that gave so many errors (5xx, or no answer) in a row gets nothing for `base_s` times the number of
    its ejections, as long as at most `most_share` of the callee's endpoints are out (one may always be).
    """

    consecutive: int = 5
    base_s: float = 30.0
    most_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Split:
    """`split`: that share of the calls goes to the callee's canary, its last replica, the rest to the others; a callee with one replica
    is both, so that the decision is made and paid for all the same.
    """

    canary_share: float = 0.2


@dataclass(frozen=True, slots=True)
class Authorization:
    """`authz`, at the callee's sidecar: only the services that call it by the topology, and the probes, and no path below `denied_prefix`
    (after normalisation: percent-encoding, dot segments and double slashes don't get around it). Others are answered 403.
    """

    denied_prefix: str = "/denied"


@dataclass(frozen=True, slots=True)
class Tracing:
    """`tracing`: every sidecar continues `traceparent` with a span of its own, or begins a trace; that share of begun traces is sampled."""

    sampled_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Policies:
    """The settings of every feature that has some."""

    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    ejection: Ejection = Ejection()
    split: Split = Split()
    authorization: Authorization = Authorization()
    tracing: Tracing = Tracing()
