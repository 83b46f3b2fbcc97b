"""What a proxy does beside forwarding, as the control plane writes it; a policy that is None is one that nobody asked for. Pure.

What each setting means is told in harness.model.policy, for every mesh alike.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from meshes.builtin.policies_balancing import SuccessRate, read_success_rate
from meshes.builtin.reading import Section

Policy = TypeVar("Policy")
RETRIED_ON = (
    "connect-failure",
    "refused-stream",
    "reset",
    "gateway-error",
    "5xx",
    "retriable-4xx",
    "retriable-status-codes",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
)
"""Envoy's words for what is retried (`retry_on`), the last five gRPC's."""
MOST_EJECTED_S = 300.0
"""An endpoint comes back after that at the latest, however often it was out."""


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` beyond the first, on another endpoint where there is one, within a budget of the requests in flight.

    `on` are words of RETRIED_ON, None means gateway-error alone; `statuses` are those of retriable-status-codes."""

    attempts: int
    per_try_timeout_s: float
    budget_share: float
    budget_least: int
    backoff_base_s: float
    backoff_most_s: float
    on: tuple[str, ...] | None = None
    statuses: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Breaker:
    """Connections to the callee, requests that wait for one, requests in flight, and requests of these that are being retried; more
    are refused, or not retried. The last two are None where no more holds than `Limits` and the retries' budget."""

    max_connections: int
    max_pending: int
    max_requests: int | None = None
    max_retries: int | None = None


@dataclass(frozen=True, slots=True)
class Ejection:
    """So many errors in a row put an endpoint out for `base_s` times the number of its ejections, at most `most_s` (MOST_EJECTED_S), of which
    one is forgotten for every `shrink_s` that it was not out. `gateway` and `local` are bounds for 502, 503 and 504 and for no answer at all;
    None: these have none of their own."""

    consecutive: int
    base_s: float
    most_share: float
    gateway: int | None = None
    local: int | None = None
    success_rate: SuccessRate | None = None
    most_s: float | None = None
    shrink_s: float | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """That share of the calls goes to the last endpoint, the canary."""

    canary_share: float


@dataclass(frozen=True, slots=True)
class Authorization:
    """Who may call, by SPIFFE id, and below which path nobody may."""

    callers: tuple[str, ...]
    denied_prefix: str


@dataclass(frozen=True, slots=True)
class Tracing:
    """That share of the traces that begin here is sampled."""

    sampled_share: float


def read_retry(section: Section) -> Retry:
    """Raises SnapshotError, as all of these do, saying where, which value and what is allowed."""
    with section as read:
        retry = Retry(
            attempts=read.integer("attempts", 1, 100),
            per_try_timeout_s=read.number("per_try_timeout_s", 0.001, 86400),
            budget_share=read.number("budget_share", 0, 1),
            budget_least=read.integer("budget_least", 0, 2**20),
            backoff_base_s=read.number("backoff_base_s", 0, 3600),
            backoff_most_s=read.number("backoff_most_s", 0, 3600),
            on=read.choices("on", RETRIED_ON) if read.has("on") else None,
            statuses=read.integers("statuses", 200, 599) if read.has("statuses") else None,
        )
        if bool(retry.statuses) != ("retriable-status-codes" in (retry.on or ())):
            raise read.wrong(
                "statuses", retry.statuses, "there with 'retriable-status-codes' in `on`, and only with it"
            )
    return retry


def read_breaker(section: Section) -> Breaker:
    """Bounds from 1; no waiting at all is 0."""
    with section as read:
        return Breaker(
            read.integer("max_connections", 1, 2**20),
            read.integer("max_pending", 0, 2**20),
            read.integer("max_requests", 1, 2**20) if read.has("max_requests") else None,
            read.integer("max_retries", 0, 2**20) if read.has("max_retries") else None,
        )


def read_ejection(section: Section) -> Ejection:
    """The share is that of a callee's endpoints."""
    with section as read:
        return Ejection(
            consecutive=read.integer("consecutive", 1, 2**20),
            base_s=read.number("base_s", 0.001, 86400),
            most_share=read.number("most_share", 0, 1),
            gateway=read.integer("gateway", 1, 2**20) if read.has("gateway") else None,
            local=read.integer("local", 1, 2**20) if read.has("local") else None,
            success_rate=optional(read, "success_rate", read_success_rate),
            most_s=read.number("most_s", 0.001, 86400) if read.has("most_s") else None,
            shrink_s=read.number("shrink_s", 0.001, 86400) if read.has("shrink_s") else None,
        )


def read_split(section: Section) -> Split:
    """The share is that of the calls."""
    with section as read:
        return Split(read.number("canary_share", 0, 1))


def read_authorization(section: Section) -> Authorization:
    """The list of callers may be empty: then nobody may call."""
    with section as read:
        return Authorization(read.texts("callers"), read.text("denied_prefix"))


def read_tracing(section: Section) -> Tracing:
    """The share is that of the traces that begin here."""
    with section as read:
        return Tracing(read.number("sampled_share", 0, 1))


def optional(read: Section, key: str, reader: Callable[[Section], Policy]) -> Policy | None:
    """A policy that may be left out."""
    return reader(read.section(key)) if read.has(key) else None


def without_none(document: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
    """The document of a dataclass with the policies that nobody asked for left out, at every depth; tuples are lists in JSON."""
    return {
        key: without_none(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for key, value in document.items()
        if value is not None
    }


def plain(policy: Any) -> dict[str, Any]:  # Any: a dataclass, JSON values
    """A policy as JSON has it."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(policy).items()}
