"""Heads that were read before: peers repeat themselves, and reading is a pure function of the bytes. Bounded.

`memo[head]` costs one look-up when the head is known. When the memo is full it starts anew, which costs a stream of heads that
never repeat about a tenth of a microsecond each.
"""

from meshes.builtin.proxy.request import RequestHead, parse_request
from meshes.builtin.proxy.response import ResponseHead, parse_response

MAX_HEADS = 128
MAX_HEAD_BYTES = 1024


class RequestMemo(dict[bytes, RequestHead]):
    """`parse_request`, remembered."""

    def __missing__(self, data: bytes) -> RequestHead:
        head = parse_request(data)
        if len(data) <= MAX_HEAD_BYTES:
            if len(self) >= MAX_HEADS:
                self.clear()
            self[data] = head
        return head


class ResponseMemo(dict[bytes, ResponseHead]):
    """`parse_response`, remembered; one memo for answers to HEAD (`bodiless`), another for the rest."""

    __slots__ = ("_bodiless",)

    def __init__(self, bodiless: bool) -> None:
        super().__init__()
        self._bodiless = bodiless

    def __missing__(self, data: bytes) -> ResponseHead:
        head = parse_response(data, self._bodiless)
        if len(data) <= MAX_HEAD_BYTES:
            if len(self) >= MAX_HEADS:
                self.clear()
            self[data] = head
        return head
