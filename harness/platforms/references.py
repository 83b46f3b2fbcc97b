"""Resolves the references in a unit's texts (see harness.model.plan). Pure: a lookup is passed in."""

from collections.abc import Callable
from dataclasses import replace
from re import Match

from harness.model.errors import EnvironmentFailure
from harness.model.plan import REFERENCE, File, Unit

Lookup = Callable[[str, str], str | None]
"""(kind, name) → text; None when there is no such thing."""


def resolve_unit(unit: Unit, lookup: Lookup) -> Unit:
    """The unit with every reference replaced. EnvironmentFailure names unit and reference if one can't be."""

    def text(value: str) -> str:
        return resolve(value, lookup, f"unit {unit.name!r}")

    return replace(
        unit,
        args=tuple(text(argument) for argument in unit.args),
        files=tuple(File(file.name, text(file.content), file.private) for file in unit.files),
        environment=tuple((name, text(value)) for name, value in unit.environment),
        identity=text(unit.identity),
    )


def resolve(text: str, lookup: Lookup, who: str) -> str:
    """The text with every reference replaced; EnvironmentFailure names the reference, and who made it, if one can't be."""
    return REFERENCE.sub(lambda match: _resolved(who, match, lookup), text)


def _resolved(who: str, match: Match[str], lookup: Lookup) -> str:
    kind, name = match[1], match[2] or ""
    found = lookup(kind, name)
    if found is None:
        raise EnvironmentFailure(
            f"{who} asks for {match[0]}, which this plan doesn't have: allowed are those of harness/model/plan.py"
        )
    return found


def identity_names(unit: Unit) -> set[str]:
    """The identities that a unit's texts mention."""
    return {match[2] for text in unit.texts() for match in REFERENCE.finditer(text) if match[1] == "identity"}


def mentions(unit: Unit, kind: str) -> bool:
    """Whether any text of the unit has a reference of that kind."""
    return any(match[1] == kind for text in unit.texts() for match in REFERENCE.finditer(text))
