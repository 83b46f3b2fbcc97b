"""Who of a callee's endpoints is the canary, and who gets the other calls. Pure."""

from collections.abc import Sequence
from typing import TypeVar

Each = TypeVar("Each")


def parted(well: Sequence[Each], last: Sequence[Each]) -> tuple[list[Each], Each | None]:
    """Of the `well` endpoints, those for the other calls, and the canary: the last of all (`last` holds it, or nothing), if it is well. An
    only endpoint is both, so that the decision is made all the same."""
    canary = next((each for each in last if each in well), None)
    return [each for each in well if each != canary] or list(well), canary
