"""What a program of the user's own is told, and where: by placeholders in its words and by its environment. Pure.

| placeholder  | variable      | is                                                                                         |
|--------------|---------------|--------------------------------------------------------------------------------------------|
| `{host}`     | `HOST`        | the address it has to listen on: every replica of every service has one of its own          |
| `{port}`     | `PORT`        | the port, the same for all                                                                  |
| `{replica}`  |               | its number, from 0                                                                          |
| `{url.NAME}` | `NAME_URL`    | where calls to service NAME go (through a mesh: its own sidecar), to be sent with `Host: NAME` |
|              | `NAME_URLS`   | the same for all replicas, separated by blanks; one alone where a sidecar spreads the calls |

In names of variables, letters are capitals and `-` is `_`. Other braces stay as they are.
"""

import re
from collections.abc import Iterator, Mapping

from harness.model.errors import UsageError, unknown
from harness.model.plan import REFERENCE
from harness.model.topology import Command

_PLACEHOLDER = re.compile(r"\{(host|port|replica|url\.[^{}]*)\}")


def check(command: Command, callees: frozenset[str]) -> None:
    """UsageError if a text mentions a service that isn't called, or has what plans reserve for themselves."""
    for text in _texts(command):
        if (reserved := REFERENCE.search(text)) is not None:
            raise UsageError(
                f"{reserved[0]!r} is hoptax's own notation: have {{host}}, {{port}}, {{replica}}, {{url.NAME}}"
            )
        for match in _PLACEHOLDER.finditer(text):
            kind, _, name = match[1].partition(".")
            if kind == "url" and name not in callees:
                raise UsageError(f"{match[0]!r}: {unknown('callee', name, callees)}; every callee stands in calls")


def told(
    command: Command, host: str, port: int, replica: int, endpoints: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Its words and its environment; `endpoints` are `address:port` by callee. What the user sets himself, he gets."""
    known = {"host": host, "port": str(port), "replica": str(replica)}
    known |= {f"url.{name}": f"http://{each[0]}" for name, each in endpoints.items()}

    def filled(text: str) -> str:
        return _PLACEHOLDER.sub(lambda match: known[match[1]], text)

    own = {name: filled(value) for name, value in command.environment}
    environment = dict(_variables(host, port, endpoints)) | own
    return tuple(filled(word) for word in command.words), tuple(environment.items())


def _variables(host: str, port: int, endpoints: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    yield "HOST", host
    yield "PORT", str(port)
    for name, each in endpoints.items():
        prefix = name.upper().replace("-", "_")
        yield f"{prefix}_URL", f"http://{each[0]}"
        yield f"{prefix}_URLS", " ".join(f"http://{endpoint}" for endpoint in each)


def _texts(command: Command) -> Iterator[str]:
    yield from command.words
    yield from (value for _, value in command.environment)
