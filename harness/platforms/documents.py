"""Kubernetes objects as YAML, of meshes and their vendors: read, labelled as ours, told apart. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from harness.model.errors import EnvironmentFailure

Json = dict[str, Any]  # Any: JSON values
Key = tuple[str, str, str, str]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A vendor's definitions are megabytes: libyaml reads them in a tenth of the time."""


def read(text: str, who: str) -> list[Json]:
    """Every object of a text; lists are opened. EnvironmentFailure names `who` wrote what is none."""
    try:
        found = [each for each in yaml.load_all(text, _LOADER) if each is not None]
    except yaml.YAMLError as error:
        raise EnvironmentFailure(f"{who} is no YAML: {error}") from error
    objects = [item for each in found for item in (each.get("items", []) if _is_list(each) else [each])]
    for each in objects:
        if not isinstance(each, dict) or not {"apiVersion", "kind", "metadata"} <= set(each):
            raise EnvironmentFailure(f"{who} holds what is no Kubernetes object: {str(each)[:80]}")
    return objects


def labelled(objects: Iterable[Json], labels: Mapping[str, str]) -> list[Json]:
    """The same with these labels added to each object (not to the pods it makes)."""
    return [
        each | {"metadata": each["metadata"] | {"labels": dict(each["metadata"].get("labels") or {}) | dict(labels)}}
        for each in objects
    ]


def key(each: Json, namespace: str = "") -> Key:
    """What tells an object from others; `namespace` is for those that don't name theirs."""
    metadata = each["metadata"]
    return (
        str(each["apiVersion"]),
        str(each["kind"]),
        str(metadata.get("namespace") or namespace),
        str(metadata["name"]),
    )


def gone(before: Sequence[Json], now: Sequence[Json]) -> list[Json]:
    """What was there and isn't any more, the last first."""
    kept = {key(each) for each in now}
    return [each for each in reversed(before) if key(each) not in kept]


def foreign(there: Iterable[Json], label: str, value: str) -> list[str]:
    """Of objects that exist, those that don't have this label, as `kind/name`."""
    return [
        f"{each['kind']}/{each['metadata']['name']}"
        for each in there
        if (each["metadata"].get("labels") or {}).get(label) != value
    ]


def _is_list(each: Any) -> bool:  # Any: what a YAML document may be
    return isinstance(each, dict) and each.get("kind") == "List"
