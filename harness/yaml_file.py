"""YAML files that people write: read with every doubt refused, and what is wrong with a value said in a line."""

import reprlib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.model.errors import UsageError


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
