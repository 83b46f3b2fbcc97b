"""Topology files: YAML → Topology, every key checked. Knows no mesh and starts nothing. isotope's files are read as well.

```yaml
name: shop
entry: web
services:
  web:
    calls:
      - cart                                   # one after the other,
      - [stock, {service: price, request: 2KiB, probability: 50%}]   # a list in the list: at the same time
      - {sleep: 1ms}                           # a step that waits
  cart: {replicas: 2, work: {cpu: 200us, response: 1KiB}}
  stock: {work: {sleep: 2ms, errors: 1%}}
  price: {command: [python3, price.py, "{port}"]}   # a program of your own
```

Quantities carry their unit. The digest is of the content: formatting, comments and the order of keys don't change it.
"""

import hashlib
import json
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from harness import isotope
from harness.callers_first import callers_first
from harness.model.errors import UsageError, unknown
from harness.model.program import Program
from harness.model.quantities import duration_s, share, size_bytes
from harness.model.topology import Call, Command, Service, Step, Topology, Work, document
from harness.own_command import VARIABLE, limits, own_command, split_words
from harness.yaml_file import complaint, read_yaml, short

__all__ = ["MAX_REPLICAS", "MAX_SERVICES", "complaint", "load_topology", "read_yaml", "short"]

MAX_SERVICES = 1000
MAX_REPLICAS = 1000
MAX_WORK_US = 60_000_000
MAX_BYTES = 16 * 1024 * 1024
NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
"""A DNS label that starts with a letter: the name is a host name in the mesh."""


def _quantity(parse: Any, most: float, shown: str) -> BeforeValidator:  # Any: one of three parsers
    def read(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"{short(value)} has no unit: write e.g. 200us, 1KiB or 1%")  # noqa: TRY004 - becomes a message
        try:
            found = parse(value)
        except UsageError as error:
            raise ValueError(str(error)) from error
        if found > most:
            raise ValueError(f"{value!r} is too much: allowed are at most {shown}")
        return found

    return BeforeValidator(read)


_Microseconds = Annotated[int, _quantity(lambda text: round(duration_s(text) * 1e6), MAX_WORK_US, "60s")]
_Bytes = Annotated[int, _quantity(size_bytes, MAX_BYTES, "16MiB")]
_Share = Annotated[float, _quantity(share, 1.0, "100%")]
_Name = Annotated[str, Field(pattern=NAME)]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class _Work(BaseModel):
    model_config = _STRICT
    cpu: _Microseconds = 0
    sleep: _Microseconds = 0
    response: _Bytes = 128
    errors: _Share = 0.0


class _Call(BaseModel):
    """A call to `service`, or a `sleep` that takes its place in a step."""

    model_config = _STRICT
    service: str | None = None
    request: _Bytes = 0
    probability: _Share = 1.0
    sleep: _Microseconds | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.service is None) == (self.sleep is None):
            raise ValueError(
                "a call names either a service or a sleep: write e.g. cart, {service: cart} or {sleep: 2ms}"
            )
        return self


def _as_words(value: object) -> object:
    return split_words(value) if isinstance(value, str) else value


class _Command(BaseModel):
    model_config = _STRICT
    run: Annotated[list[str], BeforeValidator(_as_words)]
    environment: dict[Annotated[str, Field(pattern=VARIABLE)], str] = {}
    ready: str = ""


def _as_call(value: object) -> object:
    return {"service": value} if isinstance(value, str) else value


def _as_step(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _as_command(value: object) -> object:
    return value if isinstance(value, dict) else {"run": value}


_CallEntry = Annotated[_Call, BeforeValidator(_as_call)]
_StepEntry = Annotated[list[_CallEntry], BeforeValidator(_as_step), Field(min_length=1)]


class _Service(BaseModel):
    model_config = _STRICT
    replicas: Annotated[int, Field(strict=True, ge=1, le=MAX_REPLICAS)] = 1
    work: _Work = _Work()
    calls: list[_StepEntry] = []
    command: Annotated[_Command, BeforeValidator(_as_command)] | None = None


class _File(BaseModel):
    model_config = _STRICT
    name: _Name
    entry: str
    services: Annotated[dict[_Name, _Service], Field(min_length=1, max_length=MAX_SERVICES)]


def load_topology(path: Path, program: Program) -> Topology:
    """The topology in that file; its services run `program` or their own command. Callers stand before callees.

    Raises UsageError, naming file, place, value and what is allowed: unreadable, no YAML, an unknown key or service, a cycle, a
    command that isn't there.
    """
    content = read_yaml("topology", path)
    notes: tuple[str, ...] = ()
    try:
        if isotope.is_isotope(content):
            content, notes = isotope.translated(content, path.stem)
        file = _validated(content)
        _check_names(file)
        called = {name: [call.service for call in _calls(service)] for name, service in file.services.items()}
        order = callers_first(called, file.entry)
        services = tuple(_service(name, file.services[name], program, path.parent) for name in order)
    except UsageError as error:
        raise UsageError(f"topology {path}: {error}") from error
    found = Topology(file.name, file.entry, services, notes=notes + tuple(limits(services)))
    return replace(found, digest=_digest(found))


def _validated(content: object) -> _File:
    if not isinstance(content, dict):
        raise UsageError("it holds no mapping: it needs name, entry and services")
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "[key]")
        if first["type"] == "extra_forbidden":
            raise UsageError(f"{place}: unknown key, have {', '.join(_allowed(first['loc']))}") from None
        raise UsageError(f"{place}: {complaint(first)}") from None


def _allowed(place: tuple[int | str, ...]) -> list[str]:
    """The keys of the mapping in which the unknown key stands."""
    if len(place) == 1:
        return list(_File.model_fields)
    inside: dict[int | str, type[BaseModel]] = {"work": _Work, "calls": _Call, "command": _Command}
    model = inside[place[2]] if len(place) > 3 else _Service  # services, its name, work or calls, …
    return list(model.model_fields)


def _check_names(file: _File) -> None:
    if file.entry not in file.services:
        raise UsageError(f"entry: {unknown('service', file.entry, set(file.services))}")
    for name, service in file.services.items():
        for call in _calls(service):
            if call.service not in file.services:
                raise UsageError(f"services.{name}.calls: {unknown('service', call.service, set(file.services))}")


def _calls(service: _Service) -> list[Call]:
    return [call for step in service.calls for call in _step(step).calls]


def _step(entries: list[_Call]) -> Step:
    calls = tuple(Call(e.service, e.request, e.probability) for e in entries if e.service is not None)
    return Step(calls, max(entry.sleep or 0 for entry in entries))


def _service(name: str, service: _Service, program: Program, folder: Path) -> Service:
    script = tuple(_step(step) for step in service.calls)
    plain = Service(name, program, service.replicas, script=script)
    if service.command is None:
        work = service.work
        return replace(plain, work=Work(work.cpu, work.sleep, work.response, work.errors))
    if service.work != _Work() or any(step.sleep_us for step in script):
        raise UsageError(
            f"services.{name}: a program of your own does its own work: remove work and sleep, or the command"
        )
    return replace(
        plain, command=_command(name, service.command, folder, frozenset(call.service for call in plain.calls()))
    )


def _command(name: str, command: _Command, folder: Path, callees: frozenset[str]) -> Command:
    try:
        return own_command(command.run, command.environment, command.ready, folder, callees)
    except UsageError as error:
        raise UsageError(f"services.{name}.command: {error}") from error


def _digest(topology: Topology) -> str:
    content = document(topology)
    del content["digest"]
    content["services"] = sorted(content["services"], key=itemgetter("name"))
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
