"""Reads a JSON object strictly: every key once, of one type, in a range, and none left over. Knows no particular document."""

from collections.abc import Iterable, Mapping
from socket import AF_INET, AF_INET6, inet_pton
from types import TracebackType
from typing import Self


class SnapshotError(ValueError):
    """A configuration that can't be obeyed; the message says where, which value, and what is allowed."""


class Section:
    """One JSON object, as a context: on leaving it without an error, a key that nobody read is an error."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise SnapshotError(f"{path} is {value!r:.60}: it has to be an object")
        self._path = path
        self._left: dict[str, object] = dict(value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._left:
            raise SnapshotError(f"{self._path} has unknown keys: {', '.join(sorted(self._left))}")

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise SnapshotError(f"{self._path}.{key} is missing")
        return self._left.pop(key)

    def _wrong(self, key: str, value: object, allowed: str) -> SnapshotError:
        return SnapshotError(f"{self._path}.{key} is {value!r:.60}: it has to be {allowed}")

    def wrong(self, key: str, value: object, allowed: str) -> SnapshotError:
        """The error about a value that was read and doesn't go with another."""
        return self._wrong(key, value, allowed)

    def has(self, key: str) -> bool:
        """Whether the key is there and not yet read; for the few that are optional."""
        return key in self._left

    def text(self, key: str) -> str:
        """A text that is not empty and has only printable ASCII characters without spaces."""
        return self._text(key, self._take(key))

    def _text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value or " " in value:
            raise self._wrong(key, value, "a text of printable ASCII characters without spaces")
        return value

    def path(self, key: str) -> str:
        """The path of a file: any text that is not empty."""
        value = self._take(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, value, "the path of a file")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, value, f"a whole number from {low} to {high}")
        return value

    def port(self, key: str) -> int:
        """A TCP port."""
        return self.integer(key, 1, 65535)

    def number(self, key: str, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        value = self._take(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, value, f"a number from {low} to {high}")
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def choice(self, key: str, allowed: Iterable[str]) -> str:
        """One of a few words."""
        value, words = self._take(key), tuple(allowed)
        if value not in words or not isinstance(value, str):
            raise self._wrong(key, value, f"one of {', '.join(words)}")
        return value

    def choices(self, key: str, allowed: Iterable[str]) -> tuple[str, ...]:
        """A list of some of a few words."""
        words = tuple(allowed)
        for value in (found := self._list(key)):
            if value not in words:
                raise self._wrong(key, value, f"a list of {', '.join(words)}")
        return tuple(map(str, found))

    def integers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers from `low` to `high`."""
        found: list[int] = []
        for value in self._list(key):
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise self._wrong(key, value, f"a list of whole numbers from {low} to {high}")
            found.append(value)
        return tuple(found)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, each as in `text`."""
        return tuple(self._text(key, item) for item in self._list(key))

    def names(self, key: str) -> Mapping[str, str]:
        """An object of texts; its keys are lower-cased, as host names have no case."""
        value = self._take(key)
        if not isinstance(value, dict):
            raise self._wrong(key, value, "an object of names")
        return {self._text(key, name).lower(): self._text(key, item) for name, item in value.items()}

    def endpoint(self, key: str) -> tuple[str, int]:
        """`address:port` with a literal IP address; IPv6 in brackets."""
        return self._endpoint(key, self._take(key))

    def endpoints(self, key: str) -> tuple[tuple[str, int], ...]:
        """A list of `address:port`."""
        return tuple(self._endpoint(key, item) for item in self._list(key))

    def _endpoint(self, key: str, value: object) -> tuple[str, int]:
        address, _, port = self._text(key, value).rpartition(":")
        try:
            address = address.removeprefix("[").removesuffix("]") if ":" in address else address
            inet_pton(AF_INET6 if ":" in address else AF_INET, address)
            number = int(port)
        except (OSError, ValueError) as error:
            raise self._wrong(key, value, "an IP address, a colon and a port") from error
        if not 1 <= number <= 65535:
            raise self._wrong(key, value, "an IP address, a colon and a port from 1 to 65535")
        return address, number

    def section(self, key: str) -> "Section":
        """An object, to be read in turn."""
        return Section(f"{self._path}.{key}", self._take(key))

    def sections(self, key: str) -> tuple["Section", ...]:
        """A list of objects, each to be read in turn."""
        return tuple(Section(f"{self._path}.{key}[{n}]", item) for n, item in enumerate(self._list(key)))

    def named_sections(self, key: str) -> dict[str, "Section"]:
        """An object whose values are objects, by name."""
        value = self._take(key)
        if not isinstance(value, dict):
            raise self._wrong(key, value, "an object of objects")
        return {name: Section(f"{self._path}.{key}.{name}", inner) for name, inner in value.items()}

    def _list(self, key: str) -> list[object]:
        value = self._take(key)
        if not isinstance(value, list):
            raise self._wrong(key, value, "a list")
        return value
