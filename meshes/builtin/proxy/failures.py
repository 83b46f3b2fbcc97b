"""The one table of what can go wrong with a request: its flag, its status, and what is said about it. Pure.

A response that the proxy makes itself carries the flag in `x-hoptax-error`, so that it can't be mistaken for the app's.
"""

from enum import Enum
from http import HTTPStatus

from meshes.builtin.proxy import grpc_messages

FLAG_HEADER = "x-hoptax-error"


class Failure(Enum):
    """(flag, status, sentence). The first group is the client's fault and ends its connection."""

    BAD_REQUEST = "bad-request", 400, "the request is not HTTP/1.1 that can be read in only one way"
    HEAD_TIMEOUT = "head-timeout", 408, "the request did not arrive in time"
    URI_TOO_LONG = "uri-too-long", 414, "the request line is longer than the limit"
    EXPECTATION = "expectation", 417, "the only expectation that is understood is 100-continue"
    HEAD_TOO_LARGE = "head-too-large", 431, "the header fields are larger or more than the limit"
    METHOD = "method", 501, "CONNECT is not allowed"
    VERSION = "version", 505, "the HTTP version is not supported: use HTTP/1.1"

    DENIED = "denied", 403, "the request is not allowed"
    NO_ROUTE = "no-route", 404, "no route to this host"
    NO_ENDPOINTS = "no-endpoints", 503, "the callee has no endpoints"
    OVERFLOW = "overflow", 503, "the callee has as many requests or connections as allowed"
    BREAKER_OPEN = (
        "breaker-open",
        503,
        "the callee has as many connections or requests as the circuit breaker allows",
    )
    CONNECT_FAILED = "connect-failed", 503, "the callee refused the connection"
    CONNECT_TIMEOUT = "connect-timeout", 504, "the callee did not accept the connection in time"
    TLS_FAILED = "tls-failed", 503, "the callee could not prove its identity"
    UPSTREAM_RESET = "upstream-reset", 503, "the callee closed the connection without an answer"
    STREAM_REFUSED = "stream-refused", 503, "the callee takes no more requests on its connection"
    BAD_RESPONSE = "bad-response", 502, "the callee's answer is not HTTP/1.1 that can be read in only one way"
    REQUEST_TIMEOUT = "request-timeout", 504, "the callee did not answer in time"
    TRY_TIMEOUT = "try-timeout", 504, "the callee did not answer one try in time"

    def __init__(self, flag: str, status: int, sentence: str) -> None:
        self.flag = flag
        self.status = status
        self.sentence = sentence

    def response(self, detail: str, close: bool, bodiless: bool) -> bytes:
        """The whole response: the sentence and a detail as plain text; `bodiless` for an answer to HEAD."""
        body = f"hoptax: {self.sentence}{': ' + detail if detail else ''}\n".encode()
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            "content-type: text/plain",
            f"content-length: {len(body)}",
            f"{FLAG_HEADER}: {self.flag}",
            *(["connection: close"] if close else []),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if bodiless else body)

    def grpc_response(self, detail: str, close: bool) -> bytes:
        """The same for a caller of gRPC, which looks at nothing but the status of its own kind."""
        late = self in (Failure.REQUEST_TIMEOUT, Failure.TRY_TIMEOUT)
        code = grpc_messages.DEADLINE_EXCEEDED if late else grpc_messages.status_of(self.status)
        said = f"hoptax: {self.sentence}{': ' + detail if detail else ''}"
        more = [f"{FLAG_HEADER}: {self.flag}", *(["connection: close"] if close else [])]
        return grpc_messages.answer(code, said, more)


class Refused(Exception):
    """The message can't be carried; raised by readers, answered by connections."""

    def __init__(self, failure: Failure, detail: str = "") -> None:
        super().__init__(failure, detail)
        self.failure = failure
        self.detail = detail
