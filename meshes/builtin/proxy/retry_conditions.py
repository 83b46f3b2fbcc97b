"""Which failures and answers are tried again, from the words of Envoy and gRPC to sets that a try is looked up in. Pure.

What a word means is that of Envoy's `x-envoy-retry-on` and `x-envoy-retry-grpc-on` (Envoy, HTTP router filter). Every failed try counts
for `reset`, `gateway-error` and `5xx`, as a callee that doesn't answer is one that answers 503 or 504. gRPC's words look at the head of
an answer: a call that fails at once has its status there ("trailers-only"), one that fails later has been passed on by then.
"""

from typing import Final, NamedTuple

from meshes.builtin.proxy import grpc_messages
from meshes.builtin.proxy.failures import Failure

_CONNECT = frozenset((Failure.CONNECT_FAILED, Failure.CONNECT_TIMEOUT, Failure.TLS_FAILED))
_REFUSED = frozenset((Failure.STREAM_REFUSED,))
"""HTTP/2 alone has it: the request was not looked at."""
_ANY = _CONNECT | _REFUSED | {Failure.UPSTREAM_RESET, Failure.TRY_TIMEOUT}
"""The connection failed, or broke before any answer, or the try took too long. An answer that can't be read is none of these."""
_FAILURES = {"connect-failure": _CONNECT, "refused-stream": _REFUSED}
_GATEWAY: Final = frozenset((502, 503, 504))
_STATUSES: dict[str, frozenset[int]] = {
    "gateway-error": _GATEWAY,
    "5xx": frozenset(range(500, 600)),
    "retriable-4xx": frozenset((409,)),
}
_GRPC = {"cancelled": 1, "deadline-exceeded": 4, "resource-exhausted": 8, "internal": 13, "unavailable": 14}


class Conditions(NamedTuple):
    """A try is repeated after one of these failures, an answer with one of these statuses, or one whose head has one of these statuses of
    gRPC; `grpc` is None where no such was asked for."""

    failures: frozenset[Failure]
    statuses: frozenset[int]
    grpc: frozenset[int] | None

    def met(self, status: int, lead: bytes) -> bool:
        """Whether an answer with that status and those field lines is asked for again."""
        return status in self.statuses or (self.grpc is not None and grpc_messages.status(lead) in self.grpc)


def conditions(on: tuple[str, ...] | None, statuses: tuple[int, ...] | None) -> Conditions:
    """Compiles words of RETRIED_ON and the statuses of retriable-status-codes; None as the words is gateway-error alone."""
    words = ("gateway-error",) if on is None else on
    whole = {"reset", "gateway-error", "5xx"}.intersection(words)
    failures = _ANY if whole else frozenset[Failure]().union(*(_FAILURES.get(word, ()) for word in words))
    answers = frozenset(statuses or ()).union(*(_STATUSES.get(word, ()) for word in words))
    grpc = frozenset(_GRPC[word] for word in words if word in _GRPC)
    return Conditions(failures, answers, grpc or None)
