"""`rules:` of an experiment file → the budgets that hold for each arm; what contradicts itself is refused. Pure.

```yaml
rules:
  p50-per-hop: 500us                               # a budget for every arm but the reference
  p99-ratio: {max: 1.5, arms: ["builtin[mtls]"]}   # for one arm only
  p50-added: [{max: 2ms, arms: ["builtin[mtls]"]}, {max: 4ms, arms: ["envoy[mtls]"]}]
  errors-equal: 0.2%                               # a margin on both sides
  utilisation: off
```

Rules that aren't named keep their defaults (harness.model.rules); `{}` asks for all of them. What is written here is read in
`of_document`; an experiment's own checks come before.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import UsageError, unknown
from harness.model.quantities import duration_s, share
from harness.model.rules import BY_NAME, REGISTRY, VALIDITY, Asked, Rule, said
from harness.topology import read_yaml, short

UNSAID = "unsaid"
"""No `rules` in a file, which is something else than rules that hold nothing."""

_ENTRY = ("max", "min", "arms")
_EQUAL = ("margin", "arms")


@dataclass(frozen=True, slots=True)
class Arms:
    """Whom rules may name. `canonical` gives an arm's id; `replaced`: the command line chose the arms, so others may be named."""

    ids: tuple[str, ...]
    reference: str
    canonical: Callable[[str], str]
    replaced: bool = False

    def judged(self, rule: Rule) -> tuple[str, ...]:
        """Those that the rule is about unless it names some."""
        return tuple(arm for arm in self.ids if arm != self.reference or rule.of_reference)


def experiment_rules(document: object, arms: Arms, where: str, *, gate: bool, faults: bool) -> tuple[Asked, ...]:
    """The rules of an experiment; with `gate` the default ones where its file is silent. UsageError, beginning with `where`."""
    if document == UNSAID and not gate:
        return ()
    if faults:
        raise UsageError(f"{where}: rules judge windows without faults: give the faults an experiment of their own")
    try:
        return default_rules(arms) if document == UNSAID else of_document(document, arms)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def default_rules(arms: Arms) -> tuple[Asked, ...]:
    """Every rule that has a default."""
    return of_document({}, arms)


def of_document(document: object, arms: Arms) -> tuple[Asked, ...]:
    """The rules that hold. UsageError, beginning with `rules`, for what can't be meant as it stands."""
    if not isinstance(document, Mapping):
        raise UsageError(
            f"rules: {short(document)} holds no mapping: write e.g. {{p50-per-hop: 1ms}}, or {{}} for the defaults"
        )
    for name in document:
        if name not in BY_NAME:
            raise unknown("rule", str(name), list(BY_NAME))
    if len(arms.ids) < 2:
        raise UsageError(f"rules: the only arm is the reference, {arms.reference!r}: name another one to judge")
    asked = tuple(each for rule in REGISTRY for each in _of_rule(rule, document, arms))
    if all(each.rule == VALIDITY for each in asked):
        raise UsageError(
            "rules: nothing is left to judge: switch a rule on, name an arm of this run, or leave out `rules`"
        )
    return asked


def _of_rule(rule: Rule, document: Mapping[str, object], arms: Arms) -> Iterator[Asked]:
    where = f"rules.{rule.name}"
    value = document.get(rule.name)
    if rule.name == VALIDITY:
        if rule.name in document and value is not True:
            raise UsageError(
                f"{where}: it always holds, since a result that can't be trusted isn't judged: leave it out"
            )
        yield Asked(VALIDITY, None, None, ())
    elif rule.name not in document:
        if rule.default is not None:
            yield _bounded(rule, rule.default, arms.judged(rule))
    elif value is not False and value != "off":
        yield from _entries(rule, where, value, arms)


def _bounded(rule: Rule, budget: float, arms: tuple[str, ...]) -> Asked:
    return Asked(rule.name, -budget if rule.equal else None, budget, arms)


def _entries(rule: Rule, where: str, value: object, arms: Arms) -> Iterator[Asked]:
    """One per entry; an arm with two budgets is refused, whether they differ or not."""
    entries = value if isinstance(value, list) else [value]
    if not entries:
        raise UsageError(f"{where}: the list is empty: give a budget, or `off`")
    taken: set[str] = set()
    for entry in entries:
        asked = _entry(rule, where, entry, arms)
        if asked is None:
            continue
        for arm in asked.arms:
            if arm in taken:
                raise UsageError(f"{where}: two budgets for {arm!r}: give each arm one")
            taken.add(arm)
        yield asked


def _entry(rule: Rule, where: str, entry: object, arms: Arms) -> Asked | None:
    """None if the command line left out every arm that it names."""
    if not isinstance(entry, Mapping):
        return _bounded(rule, _budget(rule, where, entry), arms.judged(rule))
    known = _EQUAL if rule.equal else _ENTRY
    for key in entry:
        if key not in known:
            raise UsageError(f"unknown key {f'{where}.{key}'!r}: have {', '.join(known)}")
    chosen = _arms(rule, where, entry["arms"], arms) if "arms" in entry else arms.judged(rule)
    if rule.equal:
        margin = _value(rule, f"{where}.margin", entry, "margin")
        return _bounded(rule, _default(rule, where) if margin is None else margin, chosen) if chosen else None
    least, most = (_value(rule, f"{where}.{key}", entry, key) for key in ("min", "max"))
    if most is None and least is None:
        most = _default(rule, where)
    if least is not None and most is not None and most < least:
        raise UsageError(
            f"{where}: max {said(most, rule.unit)} is below min {said(least, rule.unit)}: nothing can pass"
        )
    return Asked(rule.name, least, most, chosen) if chosen else None


def _default(rule: Rule, where: str) -> float:
    if rule.default is None:
        raise UsageError(f"{where}: it has no default budget: write e.g. {{max: 2ms}}")
    return rule.default


def _value(rule: Rule, where: str, entry: Mapping[object, object], key: str) -> float | None:
    return _budget(rule, where, entry[key]) if key in entry else None


def _budget(rule: Rule, where: str, value: object) -> float:
    """In the rule's unit, above zero."""
    if value is None or isinstance(value, bool):
        raise UsageError(f"{where}: {short(value)} is no budget: write e.g. {_EXAMPLES[rule.unit]}, or `off`")
    found = _READ[rule.unit](where, value)
    if not (math.isfinite(found) and found > 0):
        raise UsageError(
            f"{where}: {short(value)} leaves nothing to spend: allowed is more than 0, e.g. {_EXAMPLES[rule.unit]}"
        )
    if rule.unit == "share" and found >= 1:
        raise UsageError(f"{where}: {short(value)} is the whole, which nothing can exceed: allowed is less than 100%")
    return found


_EXAMPLES = {"us": "1ms", "1": "2", "share": "75%"}


def _time_us(where: str, value: object) -> float:
    if not isinstance(value, str):
        raise UsageError(f"{where}: {short(value)} has no unit: write e.g. 1ms")
    try:
        return duration_s(value) * 1e6
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _ratio(where: str, value: object) -> float:
    if not isinstance(value, int | float):
        raise UsageError(f"{where}: {short(value)} is no number of times: write e.g. 2")
    return _float(value)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _share(where: str, value: object) -> float:
    if isinstance(value, int | float):
        return _float(value)
    try:
        return share(value if isinstance(value, str) else short(value))
    except UsageError as error:
        raise UsageError(f"{where}: {error}, or 0.01") from error


_READ: Mapping[str, Callable[[str, object], float]] = {"us": _time_us, "1": _ratio, "share": _share}


def _arms(rule: Rule, where: str, names: object, arms: Arms) -> tuple[str, ...]:
    """The ids of the arms named; of another run's, as the command line chose, nothing is left."""
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f'{where}.arms: {short(names)} is no list of arms: write e.g. ["builtin[mtls]"]')
    found = tuple(dict.fromkeys(arms.canonical(name) for name in names))
    for arm in found:
        if arm == arms.reference and not rule.of_reference:
            raise UsageError(f"{where}.arms: {arm!r} is the reference, to which the others are compared: leave it out")
        if arm not in arms.ids and not arms.replaced:
            raise unknown("arm of a rule", arm, list(arms.ids))
    return tuple(arm for arm in found if arm in arms.ids)


def read_rules(path: Path, arms: Arms) -> tuple[Asked, ...]:
    """The `rules` of a YAML file, which may be an experiment's; UsageError if it has none or they can't be meant as they stand."""
    document = read_yaml("rules", path)
    if not isinstance(document, Mapping) or "rules" not in document:
        raise UsageError(f"rules {path} has no `rules`: write e.g. `rules: {{p50-per-hop: 1ms}}`")
    try:
        return of_document(document["rules"], arms)
    except UsageError as error:
        raise UsageError(f"rules {path}: {error}") from error
