"""Topology files: YAML → Topology, every key checked. Knows no mesh and starts nothing.

```yaml
name: shop
entry: web
services:
  web:
    calls:
      - cart                                   # one after the other,
      - [stock, {service: price, request: 2KiB, probability: 50%}]   # a list in the list: at the same time
  cart: {replicas: 2, work: {cpu: 200us, response: 1KiB}}
  stock: {work: {sleep: 2ms, errors: 1%}}
  price: {}
```

Quantities carry their unit. The digest is of the content: formatting, comments and the order of keys don't change it.
"""

import hashlib
import json
import reprlib
from collections.abc import Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.model.errors import UsageError, unknown
from harness.model.program import Program
from harness.model.quantities import duration_s, share, size_bytes
from harness.model.topology import Call, Service, Step, Topology, Work

MAX_SERVICES = 100
MAX_REPLICAS = 50
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
    model_config = _STRICT
    service: str
    request: _Bytes = 0
    probability: _Share = 1.0


def _as_call(value: object) -> object:
    return {"service": value} if isinstance(value, str) else value


def _as_step(value: object) -> object:
    return value if isinstance(value, list) else [value]


_CallEntry = Annotated[_Call, BeforeValidator(_as_call)]
_StepEntry = Annotated[list[_CallEntry], BeforeValidator(_as_step), Field(min_length=1)]


class _Service(BaseModel):
    model_config = _STRICT
    replicas: Annotated[int, Field(strict=True, ge=1, le=MAX_REPLICAS)] = 1
    work: _Work = _Work()
    calls: list[_StepEntry] = []


class _File(BaseModel):
    model_config = _STRICT
    name: _Name
    entry: str
    services: Annotated[dict[_Name, _Service], Field(min_length=1, max_length=MAX_SERVICES)]


def load_topology(path: Path, program: Program) -> Topology:
    """The topology in that file; its services run `program`. Callers stand before callees.

    Raises UsageError, naming file, place, value and what is allowed: unreadable, no YAML, an unknown key or service, a cycle.
    """
    file = _validated(path, read_yaml("topology", path))
    _check_names(path, file)
    order = _callers_first(path, file)
    services = tuple(_service(name, file.services[name], program) for name in order)
    return Topology(file.name, file.entry, services, _digest(file.name, file.entry, services))


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping; YAML's own loader would keep the last and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # Any: YAML values
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            keys.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_yaml(noun: str, path: Path) -> object:
    """What that YAML file holds. UsageError, beginning with `noun` and the path, if it can't be read or is no YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{noun} {path} can't be read: {error}") from error
    try:
        document: object = yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{noun} {path} is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise UsageError(f"{noun} {path} is not YAML that can be read: it is nested too deeply") from None
    return document


def complaint(error: Mapping[str, Any]) -> str:  # Any: one of pydantic's error records
    """What is wrong with a value, and the value."""
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "missing":
            return "it is missing"
        case "value_error":
            return message
        case "model_type" | "dict_type":
            return f"it holds no mapping (is {short(error['input'])})"
        case "string_pattern_mismatch":
            return f"allowed are lower-case letters, digits and '-', as in {message.partition('pattern ')[2]} (is {short(error['input'])})"
    return f"{message} (is {short(error['input'])})"


def short(value: object) -> str:
    """A value for a message: never more than a line of it."""
    text = reprlib.repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _validated(path: Path, document: object) -> _File:
    if not isinstance(document, dict):
        raise UsageError(f"topology {path} holds no mapping: it needs name, entry and services")
    try:
        return _File.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "[key]")
        if first["type"] == "extra_forbidden":
            raise UsageError(
                f"topology {path}: {place}: unknown key, have {', '.join(_allowed(first['loc']))}"
            ) from None
        raise UsageError(f"topology {path}: {place}: {complaint(first)}") from None


def _allowed(place: tuple[int | str, ...]) -> list[str]:
    """The keys of the mapping in which the unknown key stands."""
    if len(place) == 1:
        return list(_File.model_fields)
    inside: dict[int | str, type[BaseModel]] = {"work": _Work, "calls": _Call}
    model = inside[place[2]] if len(place) > 3 else _Service  # services, its name, work or calls, …
    return list(model.model_fields)


def _check_names(path: Path, file: _File) -> None:
    if file.entry not in file.services:
        raise UsageError(f"topology {path}: entry: {unknown('service', file.entry, set(file.services))}")
    for name, service in file.services.items():
        for step in service.calls:
            for call in step:
                if call.service not in file.services:
                    message = unknown("service", call.service, set(file.services))
                    raise UsageError(f"topology {path}: services.{name}.calls: {message}")


def _callers_first(path: Path, file: _File) -> list[str]:
    """Depth-first, reversed; a service met again on the way down closes a cycle, which is shown."""
    finished: dict[str, None] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            cycle = " > ".join((*way[way.index(name) :], name))
            raise UsageError(f"topology {path}: {cycle} is a cycle: a request would never end; remove one of the calls")
        if name in finished:
            return
        for step in reversed(file.services[name].calls):
            for call in reversed(step):
                visit(call.service, (*way, name))
        finished[name] = None

    for name in [*(name for name in reversed(file.services) if name != file.entry), file.entry]:
        visit(name, ())
    return list(reversed(finished))


def _service(name: str, service: _Service, program: Program) -> Service:
    work = service.work
    return Service(
        name=name,
        program=program,
        replicas=service.replicas,
        work=Work(work.cpu, work.sleep, work.response, work.errors),
        script=tuple(Step(tuple(Call(c.service, c.request, c.probability) for c in step)) for step in service.calls),
    )


def _digest(name: str, entry: str, services: tuple[Service, ...]) -> str:
    named = sorted(services, key=lambda service: service.name)
    content = {"name": name, "entry": entry, "services": [asdict(service) for service in named]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
