"""A result's rules and tables → its checks, and what should be said of the rules themselves. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.analysis.estimates import Table
from harness.analysis.intervals import CONFIDENCE, MIN_ROUNDS, Interval
from harness.analysis.pairing import Cell
from harness.analysis.rule_intervals import Absent, Finder, finder, p_above, p_below
from harness.analysis.verdict import LEVEL, Check, alone
from harness.model.errors import UsageError
from harness.model.rules import BY_NAME, GATED_ROUNDS, LOOSEST_US, VALIDITY, Asked, said

Document = Mapping[str, Any]  # Any: JSON values


def asked_in(manifest: Document) -> tuple[Asked, ...]:
    """The rules of a manifest; UsageError for one that this hoptax doesn't know: leaving it out could turn a NO-GO into a GO."""
    try:
        found = tuple(
            Asked(str(each["rule"]), each["min"], each["max"], tuple(each["arms"]))
            for each in manifest.get("rules", ())
        )
    except (KeyError, TypeError) as error:
        raise UsageError(f"manifest.json: rules can't be read ({error!r}): restore the file") from error
    for asked in found:
        if asked.rule not in BY_NAME:
            raise UsageError(
                f"manifest.json asks for rule {asked.rule!r}, which this hoptax doesn't know: use a newer one"
            )
    return found


def to_manifest(asked: Sequence[Asked]) -> list[dict[str, Any]]:  # Any: JSON values
    """The same as JSON."""
    return [{"rule": each.rule, "min": each.least, "max": each.most, "arms": list(each.arms)} for each in asked]


def checks(asked: Sequence[Asked], cells: Sequence[Cell], tables: Sequence[Table]) -> Iterator[Check]:
    """Every rule of every arm in every cell; `tables` has those cells in which a round counts."""
    found = {table.cell: table for table in tables}
    for each in asked:
        if each.rule == VALIDITY:
            yield Check(each, "", "", "")
            continue
        for cell in cells:
            for arm in each.arms:
                yield _check(each, arm, cell, found.get(cell))


def _check(asked: Asked, arm: str, cell: Cell, table: Table | None) -> Check:
    where = (asked, arm, cell.topology, cell.load)
    if table is None:
        return Check(*where, why="no round counts")
    find = finder(asked.rule, table, arm)
    if isinstance(find, Absent):
        return Check(*where, why=find.why, applicable=find.applicable)
    interval = find(CONFIDENCE)
    check = Check(*where, interval=interval)
    outside = alone(check.ends, asked.least, asked.most) == "fail"
    return Check(*where, interval=interval, p=_p(asked, find, interval) if outside else 1.0)


def _p(asked: Asked, find: Finder, interval: Interval) -> float:
    """One-sided; doubled where the budget has two sides, since either could have been missed."""
    assert interval.low is not None
    over = asked.most is not None and interval.low > asked.most
    p = p_above(find, asked.most or 0.0) if over else p_below(find, asked.least or 0.0)
    return min(1.0, 2 * p) if asked.most is not None and asked.least is not None else p


def notes(asked: Sequence[Asked], rounds: int, cells: int) -> Iterator[str]:
    """What to know of the rules before they are relied on; `rounds` are those planned."""
    for each in asked:
        if each.rule == "p50-per-hop" and each.most is not None and each.most > LOOSEST_US:
            yield (
                f"p50-per-hop: a budget of {said(each.most, 'us')} is more than {said(LOOSEST_US, 'us')}, "
                "the loosest that common advice allows"
            )
    if asked:
        yield from _on_rounds(sum(len(each.arms) for each in asked) * cells, rounds)


def _on_rounds(count: int, rounds: int) -> Iterator[str]:
    if rounds < MIN_ROUNDS:
        few = "1 round gives" if rounds == 1 else f"{rounds} rounds give"
        yield f"{few} no interval, so the verdict can only be INCONCLUSIVE: use {rounds_needed(count)} or more"
    elif rounds < rounds_needed(count):
        yield (
            f"{rounds} rounds are few for {count} checks: a single one that fails may be left undecided "
            f"(HOLD instead of NO-GO); use {rounds_needed(count)} or more"
        )


def rounds_needed(count: int) -> int:
    """Enough for a rank test to fail one of `count` checks after Holm's correction, and no fewer than GATED_ROUNDS."""
    return max(GATED_ROUNDS, math.ceil(math.log2(max(1, count) / LEVEL)))
