"""The hop tree of one request, for who asks by a sampled `traceparent`: every call with its stamps, nested. Pure.

The body of the answer is then, instead of filler (times are CLOCK_MONOTONIC ns; `received_ns` to `done_ns` only as far as known):

    {"kind": "trace", "schema": 1, "service": "a", "replica": 0, "received_ns": …, "calls": [
      {"hop": "a#0>b/http", "replica": 0, "status": 200, "error": "", "attempts": 1, "sent_ns": …, "received_ns": …,
       "answered_ns": …, "done_ns": …, "calls": [the callee's]}]}

Calls stand in the order in which they were answered.
"""

import json
from collections.abc import Sequence
from typing import Any

from harness.wire.client import Answer

Json = dict[str, Any]  # Any: JSON values
Stamps = tuple[int, int]
CONTENT_TYPE = b"application/json"


def sampled(traceparent: bytes | None) -> bool:
    """Whether the last flag of a W3C `version-trace-parent-flags` is set."""
    fields = (traceparent or b"").split(b"-")
    try:
        return len(fields) >= 4 and bool(int(fields[3], 16) & 1)
    except ValueError:
        return False


def call(hop: str, answer: Answer, stamps: Stamps | None, attempts: int, error: str) -> Json:
    """One call of the tree; `stamps` are the callee's, if it gave any."""
    callee = _callee(answer)
    received = {"received_ns": stamps[0], "answered_ns": stamps[1]} if stamps else {}
    return {
        "hop": hop,
        "replica": callee.get("replica"),
        "status": answer.status,
        "error": error,
        "attempts": attempts,
        "sent_ns": answer.sent_ns,
        **received,
        "done_ns": answer.done_ns,
        "calls": callee.get("calls", []),
    }


def document(service: str, replica: int, received_ns: int, calls: Sequence[Json]) -> bytes:
    """The body of the answer."""
    tree = {"kind": "trace", "schema": 1, "service": service, "replica": replica, "received_ns": received_ns}
    return json.dumps(tree | {"calls": calls}, separators=(",", ":")).encode()


def _callee(answer: Answer) -> Json:
    """What the callee told of its own calls; nothing if it is not a fan-out service."""
    if answer.header(b"content-type") != CONTENT_TYPE:
        return {}
    try:
        tree = json.loads(answer.body)
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) and tree.get("kind") == "trace" else {}
