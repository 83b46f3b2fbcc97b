"""The `ablation` of an experiment file: the arms that show what each feature costs alone, and what all cost together. Pure.

```
ablation: {of: [envoy, builtin], base: [mtls], features: [retries, access-log]}
```

stands, for each of `of`, for the arm with the base alone, with the base and each feature, and with all of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.model.errors import UsageError, unknown
from harness.model.mesh import FEATURES, REQUIRED, Arm

KEYS = ("of", "base", "features")
NEEDED = ("of", "features")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The key as it was written: arms or meshes, the features they all start from, those that are switched on one by one."""

    of: tuple[str, ...]
    base: tuple[str, ...]
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One feature alone: the arm that has it, and the same arm without it."""

    feature: str
    arm: str
    against: str


@dataclass(frozen=True, slots=True)
class Ablation:
    """The arms of one mesh, by id; `together` has every feature, and is "" where it isn't measured."""

    base: str
    steps: tuple[Step, ...]
    together: str


def wanted(document: object) -> Wanted:
    """The key's value, checked; UsageError names what is wrong with it."""
    if not isinstance(document, Mapping):
        raise UsageError("write {of: [meshes], base: [features], features: [features]}")
    for key in document:
        if key not in KEYS:
            raise unknown("key", str(key), KEYS)
    for key in NEEDED:
        if not document.get(key):
            raise UsageError(f"{key!r} is empty: name at least one, e.g. {{of: [builtin], features: [retries]}}")
    return Wanted(*(_names(document, key) for key in KEYS))


def _names(document: Mapping[Any, object], key: str) -> tuple[str, ...]:  # Any: YAML keys
    names = document.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{key!r} has to be a list of names, e.g. [mtls]")
    if key != "of":
        for name in names:
            if name not in FEATURES:
                raise unknown("feature", name, FEATURES)
    return tuple(dict.fromkeys(names))


def expand(asked: Wanted, arm_of: Callable[[str], Arm]) -> tuple[tuple[Arm, ...], tuple[Ablation, ...]]:
    """Every arm it stands for, once, and how they belong together; `arm_of` makes an arm of its name (registry.arm).

    A feature that means nothing without another is compared with the arm that has the other; where the base doesn't have
    it, that one is switched on alone too.
    """
    arms: dict[str, Arm] = {}
    ablations = []
    for text in asked.of:
        make = _maker(text, arm_of, arms)
        base = make(asked.base)
        features = tuple(_with_needed(asked.features, base.features))
        steps = tuple(_step(feature, base, make) for feature in features)
        ablations.append(Ablation(base.id, steps, make(base.features.union(features)).id))
    return tuple(arms.values()), tuple(ablations)


def _maker(text: str, arm_of: Callable[[str], Arm], arms: dict[str, Arm]) -> Callable[[Iterable[str]], Arm]:
    """Makes arms of one mesh, on top of the features that the arm named in the file has, and keeps each."""
    mesh, own = text.split("[", maxsplit=1)[0].strip(), arm_of(text).features

    def make(features: Iterable[str]) -> Arm:
        arm = arm_of(f"{mesh}[{','.join(sorted(own.union(features)))}]")
        return arms.setdefault(arm.id, arm)

    return make


def _with_needed(features: Iterable[str], base: Collection[str]) -> Iterator[str]:
    """The features, each after those that it needs and the base doesn't have."""
    told: set[str] = set()
    for feature in features:
        for name in (*reversed(_needed(feature)), feature):
            if name not in told and (name not in base or name == feature):
                told.add(name)
                yield name


def _needed(feature: str) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    while (feature := REQUIRED.get(feature, "")) and feature not in found:
        found = (*found, feature)
    return found


def _step(feature: str, base: Arm, make: Callable[[Iterable[str]], Arm]) -> Step:
    if feature in base.features:
        raise UsageError(
            f"{base.id} has {feature!r} already, so its cost can't be told apart: take it out of `features`"
        )
    against = make(base.features.union(_needed(feature)))
    return Step(feature, make({*against.features, feature}).id, against.id)


def within(ablations: Iterable[Ablation], ids: Collection[str]) -> tuple[Ablation, ...]:
    """What is left of them when only the arms `ids` are measured."""
    left = (
        replace(
            each,
            steps=tuple(step for step in each.steps if {step.arm, step.against} <= set(ids)),
            together=each.together if {each.base, each.together} <= set(ids) else "",
        )
        for each in ablations
    )
    return tuple(each for each in left if each.steps)
