"""isotope's topology files (istio/tools), read as they are: translated into a topology file of our own. Pure, no I/O.

isotope's format is known by its `services`, a list. What it says that has no meaning here is named in notes, never dropped in
silence; commands that nobody knows are refused. Sizes are in powers of 1024 however they are written, as isotope reads them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.isotope_values import ms_text, percent_text, replicas, size_text
from harness.model.errors import UsageError, unknown
from harness.yaml_file import short

Json = Mapping[str, Any]  # Any: YAML values

_FILE = {"apiVersion", "kind", "defaults", "default", "services"}
_SETTINGS = {"type", "errorRate", "responseSize", "script", "numReplicas"}
_DEFAULTS = _SETTINGS | {"requestSize"}
_SERVICE = _SETTINGS | {"name", "isEntrypoint"}
_CALL = {"service", "size", "payloadSize", "probability"}
_TYPES = {"http", "grpc"}
NAMED = 3
"""Places that a note names for each field before it only counts."""


class Unheeded:
    """Fields without a meaning here, with the places where they stand."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}

    def note(self, field: str, place: str) -> None:
        """One of them, at that service or in the defaults."""
        self._places.setdefault(field, []).append(place)

    def unknown(self, mapping: Json, known: set[str], place: str, prefix: str = "") -> None:
        """Every key of the mapping that has no meaning here."""
        for key in mapping:
            if key not in known:
                self.note(f"{prefix}{key}", place)

    def notes(self) -> tuple[str, ...]:
        """One sentence, or none."""
        if not self._places:
            return ()
        told = "; ".join(f"{field} ({_listed(places)})" for field, places in self._places.items())
        return (f"isotope fields that can't be honoured: {told}",)


def is_isotope(content: object) -> bool:
    """Whether that is isotope's format."""
    return isinstance(content, dict) and isinstance(content.get("services"), list)


def translated(content: Any, stem: str) -> tuple[Json, tuple[str, ...]]:  # Any: YAML values
    """The same as a topology file of our own, and notes on what can't be honoured. UsageError for what can't be read."""
    unheeded = Unheeded()
    unheeded.unknown(content, _FILE, "the file")
    defaults = _mapping(content.get("defaults", content.get("default")) or {}, "defaults")
    unheeded.unknown(defaults, _DEFAULTS, "defaults")
    services: dict[str, Json] = {}
    entries: list[str] = []
    for index, item in enumerate(content["services"]):
        given = _mapping(item, f"services.{index}")
        name = _name(given, index, services)
        services[name] = _service(name, given, defaults, unheeded)
        entries += [name] if _is_entry(name, given) else []
    for name in entries[1:]:
        unheeded.note("isEntrypoint", f"{name}: load enters at {entries[0]} alone")
    return {"name": _topology_name(stem), "entry": _entry(entries, services), "services": services}, unheeded.notes()


def _name(given: Json, index: int, known: Mapping[str, Json]) -> str:
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise UsageError(f"services.{index}: it needs a name (is {short(name)})")
    if name in known:
        raise UsageError(f"services.{index}: there are two services named {name!r}: rename one")
    return name


def _is_entry(name: str, given: Json) -> bool:
    value = given.get("isEntrypoint", False)
    if not isinstance(value, bool):
        raise UsageError(f"services.{name}.isEntrypoint: allowed are true and false (is {short(value)})")
    return value


def _entry(entries: list[str], services: Mapping[str, Json]) -> str:
    if not services:
        raise UsageError("services: the list is empty: it needs at least one service")
    if not entries:
        raise UsageError(f"no service has `isEntrypoint: true`, where load would enter: have {_listed(list(services))}")
    return entries[0]


def _service(name: str, given: Json, defaults: Json, unheeded: Unheeded) -> Json:
    place = f"services.{name}"
    unheeded.unknown(given, _SERVICE, name)
    settings = {**defaults, **given}
    kind = settings.get("type", "http")
    if kind not in _TYPES:
        raise UsageError(f"{place}.type: {unknown('type', str(kind), _TYPES)}")
    if kind == "grpc":
        unheeded.note("type: grpc, called over HTTP/1.1", name)
    steps = _script(settings.get("script") or [], f"{place}.script")
    body = size_text(settings.get("responseSize", 0), f"{place}.responseSize")
    return {
        "replicas": replicas(settings.get("numReplicas", 1), f"{place}.numReplicas"),
        "work": {"response": body, "errors": percent_text(settings.get("errorRate", 0), f"{place}.errorRate")},
        "calls": [
            [_command(key, value, where, name, defaults, unheeded) for where, key, value in step] for step in steps
        ],
    }


def _script(script: object, place: str) -> Iterator[list[tuple[str, str, object]]]:
    """Each step as its commands: (place, command, argument)."""
    if not isinstance(script, list):
        raise UsageError(f"{place}: it is no list of commands (is {short(script)})")
    for index, entry in enumerate(script):
        commands = entry if isinstance(entry, list) else [entry]
        if any(isinstance(command, list) for command in commands):
            raise UsageError(
                f"{place}.{index}: a list of commands inside one that runs at the same time is not allowed"
            )
        if commands:
            yield [(f"{place}.{index}", *_one_key(command, f"{place}.{index}")) for command in commands]


def _one_key(command: object, place: str) -> tuple[str, object]:
    if not isinstance(command, dict) or len(command) != 1:
        raise UsageError(f"{place}: a command is a mapping of one key, sleep or call (is {short(command)})")
    ((key, value),) = command.items()
    return str(key), value


def _command(key: str, value: object, place: str, name: str, defaults: Json, unheeded: Unheeded) -> Json:
    if key == "sleep":
        return {"sleep": ms_text(value, place)}
    if key != "call":
        raise UsageError(f"{place}: {unknown('command', key, ['sleep', 'call'])}")
    given = {"service": value} if isinstance(value, str) else _mapping(value, f"{place}.call")
    unheeded.unknown(given, _CALL, name, "call.")
    size = given.get("size", given.get("payloadSize", defaults.get("requestSize", 0)))
    if not isinstance(given.get("service"), str):
        raise UsageError(f"{place}.call: it needs the name of a service (is {short(given.get('service'))})")
    return {
        "service": given["service"],
        "request": size_text(size, f"{place}.call.size"),
        "probability": _probability(given.get("probability", 0), f"{place}.call.probability"),
    }


def _probability(value: object, place: str) -> str:
    """isotope's are whole percents, and 0 means always."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100:
        raise UsageError(f"{place}: allowed are whole percents from 1 to 100 (is {short(value)})")
    return f"{value or 100}%"


def _mapping(value: object, place: str) -> Json:
    if not isinstance(value, dict):
        raise UsageError(f"{place}: it is no mapping (is {short(value)})")
    return value


def _topology_name(stem: str) -> str:
    """isotope's files have no name but their own; ours begin with a letter."""
    return re.sub("[^a-z0-9]+", "-", f"isotope-{stem.lower()}")[:40].rstrip("-")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
