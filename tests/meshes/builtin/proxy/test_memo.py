"""Heads are remembered within bounds, and what is refused is not."""

import pytest

from meshes.builtin.proxy.failures import Refused
from meshes.builtin.proxy.memo import MAX_HEAD_BYTES, MAX_HEADS, RequestMemo, ResponseMemo


def test_a_known_head_is_not_read_again() -> None:
    memo = RequestMemo()
    assert memo[b"GET / HTTP/1.1\r\nHost: b"] is memo[b"GET / HTTP/1.1\r\nHost: b"]


def test_memory_is_bounded_in_number_and_size() -> None:
    memo = RequestMemo()
    for n in range(MAX_HEADS * 3):
        assert memo[b"GET /%d HTTP/1.1\r\nHost: b" % n].lead.startswith(b"GET /%d " % n)
        assert len(memo) <= MAX_HEADS
    assert b"x: y" in memo[b"GET / HTTP/1.1\r\nHost: b\r\nx: y\r\nz: " + b"z" * MAX_HEAD_BYTES].lead
    assert all(len(head) <= MAX_HEAD_BYTES for head in memo)


def test_a_refused_head_leaves_nothing() -> None:
    memo = RequestMemo()
    with pytest.raises(Refused):
        memo[b"GET / HTTP/1.1"]
    assert not memo


def test_answers_to_head_are_remembered_apart() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 5"
    assert ResponseMemo(bodiless=False)[data].length == 5
    assert ResponseMemo(bodiless=True)[data].length == 0
