"""The hop tree: who asks for it, and what it holds of answers of all sorts."""

import json
from typing import Any

import pytest

from harness.wire.client import Answer
from workloads.service import trace

TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-%s"


@pytest.mark.parametrize(
    ("flags", "asked"), [(b"01", True), (b"03", True), (b"ff", True), (b"00", False), (b"02", False)]
)
def test_the_last_flag_asks(flags: bytes, asked: bool) -> None:
    assert trace.sampled(TRACEPARENT % flags) == asked


def test_a_later_version_may_have_more_fields() -> None:
    assert trace.sampled(TRACEPARENT % b"01-more")


@pytest.mark.parametrize("value", [None, b"", b"01", b"00-1-01", TRACEPARENT % b"", TRACEPARENT % b"zz"])
def test_what_is_no_traceparent_asks_for_nothing(value: bytes | None) -> None:
    assert not trace.sampled(value)


def answered(body: bytes = b"", content_type: bytes = trace.CONTENT_TYPE) -> Answer:
    answer = Answer()
    answer.status, answer.sent_ns, answer.done_ns = 200, 1, 4
    answer.headers.append((b"content-type", content_type))
    answer.parts += [body[:5], body[5:]]
    return answer


def node(answer: Answer) -> dict[str, Any]:  # Any: JSON values
    return trace.call("a#0>b/http", answer, (2, 3), 1, "")


def test_trees_nest() -> None:
    leaf = node(answered(trace.document("b", 1, 2, [])))
    assert leaf == {
        "hop": "a#0>b/http", "replica": 1, "status": 200, "error": "", "attempts": 1,
        "sent_ns": 1, "received_ns": 2, "answered_ns": 3, "done_ns": 4, "calls": [],
    }  # fmt: skip
    assert node(answered(trace.document("b", 0, 2, [leaf, leaf])))["calls"] == [leaf, leaf]
    root = json.loads(trace.document("a", 0, 5, [leaf]))
    assert root == {"kind": "trace", "schema": 1, "service": "a", "replica": 0, "received_ns": 5, "calls": [leaf]}


@pytest.mark.parametrize(
    "answer",
    [
        answered(b"{"),
        answered(b"[]"),
        answered(b"\xff"),
        answered(b'{"kind": "other", "calls": [1]}'),
        answered(trace.document("b", 0, 2, [{}]), b"application/octet-stream"),
        Answer.failed("connect"),
    ],
)
def test_who_is_no_fan_out_service_has_no_calls(answer: Answer) -> None:
    found = node(answer)
    assert (found["replica"], found["calls"]) == (None, [])


def test_a_call_without_the_callees_stamps_has_only_the_callers() -> None:
    found = trace.call("a#0>b/http", Answer.failed("connect"), None, 1, "connect")
    assert (found["error"], found["status"], "received_ns" in found) == ("connect", 0, False)
