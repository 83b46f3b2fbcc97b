"""What is sent: a URL taken apart, and the bytes of a request, made once. Opens no socket and resolves no name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FRAMING = ("content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL points: `path` includes the query; `authority` is what `Host` says."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"


def parse_url(url: str) -> Target:
    """The target of an http or https URL; ValueError says what is wrong and what is allowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"URL {url!r} can't be read ({error}): write http://host:port/path") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"URL {url!r} is not http://host:port/path or https://host:port/path")
    if parts.username is not None or not url.isascii() or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError(
            f"URL {url!r} has a user, a space or a character beyond ASCII: write it percent-encoded, without user"
        )
    if port == 0:
        raise ValueError(f"URL {url!r} has port 0: allowed are 1 to 65535")
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], _path(parts), parts.netloc)


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def encode_request(target: Target, method: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """The whole request. A Host among `headers` replaces the URL's; framing is ours alone. ValueError for what can't be sent."""
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise ValueError(f"method {method!r}: allowed is an HTTP method such as GET or POST, and not CONNECT")
    given = [(name, value.strip(" \t")) for name, value in headers]
    for name, value in given:
        _check_header(name, value)
    lines = [f"{method} {target.path} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in given):
        lines.append(f"host: {target.authority}")
    lines += [f"{name}: {value}" for name, value in given]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r}: allowed are letters, digits and !#$%&'*+-.^_`|~")
    if name.lower() in _FRAMING:
        raise ValueError(f"header {name!r} belongs to the connection and is set by hoptax: leave it out")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value) or not all(ord(character) < 256 for character in value):
        raise ValueError(
            f"header {name!r} has the value {value!r}: allowed are printable latin-1 characters, no line ends"
        )
