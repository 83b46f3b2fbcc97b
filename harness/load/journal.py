"""The rows of closed-loop users, kept request by request in nanoseconds. It sends nothing and reads no clock.

A closed-loop user has no schedule: a request is due when the user sends it. So due = ready = sent, a row's response time equals
its service time, and an overloaded system shows as fewer rows.
"""

from array import array
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from harness.load.rows import ERROR_KINDS, PHASES, Rows, from_columns
from harness.load.seconds import Columns, Second, second_of

KINDS_OF_ERRORS = (
    (("SSLError", "SSLCertVerificationError"), "tls"),
    (("ConnectionRefusedError", "gaierror", "ConnectTimeout", "NewConnectionError"), "connect"),
    (("timeout", "TimeoutError", "Timeout", "ReadTimeout", "ConnectionTimeoutError"), "timeout"),
    (("ConnectionResetError", "BrokenPipeError"), "reset"),
    (("HTTPParseError", "DecodeError", "error", "ContentDecodingError"), "protocol"),
)
"""Names of the exceptions of Locust's two HTTP clients, and what they are called in rows; any other is a closed connection."""


def error_kind(status: int, failure: BaseException | None) -> str:
    """What went wrong with a request: by exception if it has no answer (status 0), else `status` if its user calls it a failure."""
    if failure is None:
        return ""
    if status:
        return "status"
    names = [kind.__name__ for reason in _chain(failure) for kind in type(reason).__mro__]
    return next((word for known, word in KINDS_OF_ERRORS if any(name in known for name in names)), "closed")


def _chain(failure: BaseException) -> Iterable[BaseException]:
    """The exception and those it was made of: clients wrap what the socket said."""
    seen: BaseException | None = failure
    while seen is not None:
        yield seen
        inner = [argument for argument in seen.args if isinstance(argument, BaseException)]
        seen = inner[0] if inner else seen.__cause__ or seen.__context__


class Journal:
    """Columns that grow by one element per finished request, in the order in which requests were finished."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._name, self._status = array("H"), array("H")
        self._sent, self._first_byte, self._done, self._bytes_in = (array("q") for _ in range(4))
        self._kind = array("B")
        self._connection = array("i")
        self._told = 0
        self.failed = 0

    def __len__(self) -> int:
        return len(self._sent)

    def finished(
        self,
        name: str,
        user: int,
        sent_ns: int,
        first_byte_ns: int,
        done_ns: int,
        status: int,
        kind: str,
        bytes_in: int,
    ) -> None:
        """One request is over; `user` is the number of whoever waited for it, `kind` one of ERROR_KINDS."""
        self._name.append(self._names.setdefault(name, len(self._names)))
        self._connection.append(user)
        self._sent.append(sent_ns)
        self._first_byte.append(first_byte_ns)
        self._done.append(done_ns)
        self._status.append(status)
        self._kind.append(ERROR_KINDS.index(kind))
        self._bytes_in.append(bytes_in)
        self.failed += kind != ""

    def unfinished(self, name: str, user: int, sent_ns: int) -> None:
        """A request that has no answer at the end of the drain."""
        self.finished(name, user, sent_ns, 0, 0, 0, "", 0)

    def second(self) -> Second:
        """What was finished since the last call."""
        first, self._told = self._told, len(self)
        # Copies: a view would forbid the arrays to grow.
        columns = Columns(
            due=np.array(self._sent[first:], np.int64),
            done=np.array(self._done[first:], np.int64),
            error_kind=np.array(self._kind[first:], np.uint8),
            bytes_in=np.array(self._bytes_in[first:], np.int64),
        )
        return second_of(np.flatnonzero(columns.done), columns)

    def rows(self, run_id: str, worker: int, workers: int, window_ns: int, over_ns: int) -> Rows:
        """By time of sending; those before `window_ns` are warm-up, those sent from `over_ns` on are left out."""
        sent = np.array(self._sent, np.int64)
        order = np.argsort(sent, kind="stable")
        order = order[sent[order] < over_ns]
        columns = {
            "worker": np.full(len(order), worker),
            "seq": worker + workers * np.arange(len(order)),
            "phase": np.where(sent[order] < window_ns, PHASES.index("warmup"), PHASES.index("window")),
            "bytes_out": np.zeros(len(order)),
        }
        columns |= {
            name: _sorted(values, order)
            for name, values in {
                "name": self._name,
                "due": self._sent,
                "ready": self._sent,
                "sent": self._sent,
                "first_byte": self._first_byte,
                "done": self._done,
                "status": self._status,
                "error_kind": self._kind,
                "bytes_in": self._bytes_in,
                "connection": self._connection,
            }.items()
        }
        return from_columns(run_id, tuple(self._names) or ("",), columns)


def _sorted(values: "array[int]", order: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array(values, np.int64)[order]
