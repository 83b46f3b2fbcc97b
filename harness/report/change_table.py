"""The headline of a comparison, the same for terminal and page: which changes are shown, in which order and words. It computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.figures import PER_HOP, Subject
from harness.report.numbers import Estimate, Unit, figure, interval_of, plain, unit_for, value_of
from harness.report.table import CPU, ERRORS, MEMORY, QUANTILES, Shown

Document = Mapping[str, Any]  # Any: a comparison

WORDS = {"higher": "higher", "lower": "lower", "unclear": "no change shown", "none": "no interval"}

_OWN = (
    *((f"response {q}", Subject("request", "entry", "response", q)) for q in QUANTILES),
    ("CPU per 1,000 requests", CPU),
    ("memory per sidecar", MEMORY),
    ("failed requests", ERRORS),
)
_ADDED = (
    *((f"added {q}", Subject("request", "entry", "response", q)) for q in QUANTILES),
    ("added per hop, p50", Subject("hop", PER_HOP, "hop", "p50")),
    ("added CPU per 1,000 requests", CPU),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: in either result, its change, the ratio of after to before, and what the interval says."""

    label: str
    before: Shown
    after: Shown
    change: Shown
    ratio: Shown
    words: str


@dataclass(frozen=True, slots=True)
class Relative:
    """A change as a share of what was before: for the picture."""

    arm: str
    style: int
    label: str
    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """One topology under one load: per arm its rows, and what the picture shows."""

    topology: str
    load: str
    arms: tuple[tuple[str, tuple[Row, ...]], ...]
    relative: tuple[Relative, ...]


def places(document: Document) -> tuple[Place, ...]:
    """Every cell that both results have, in their order."""
    cells = dict.fromkeys((each["topology"], each["load"]) for each in document["estimates"])
    return tuple(_place(document, topology, load) for topology, load in cells)


def _place(document: Document, topology: str, load: str) -> Place:
    found = {
        (each["arm"], _subject(each), each["value"], each["of"]): each
        for each in document["estimates"]
        if (each["topology"], each["load"]) == (topology, load)
    }
    arms = tuple((arm, tuple(_rows(found, arm))) for arm in document["arms"])
    relative = tuple(each for style, arm in enumerate(document["arms"]) for each in _relative(found, arm, style))
    return Place(topology, load, tuple((arm, rows) for arm, rows in arms if rows), relative)


def _subject(estimate: Estimate) -> Subject:
    return Subject(estimate["scope"], estimate["subject"], estimate["metric"], estimate["statistic"])


_Found = Mapping[tuple[str, Subject, str, str], Estimate]


def _rows(found: _Found, arm: str) -> Iterator[Row]:
    for of, subjects in (("total", _OWN), ("added", _ADDED)):
        for label, subject in subjects:
            change = found.get((arm, subject, "difference", of))
            if change is not None and (value_of(change["before"]) is not None or value_of(change["after"]) is not None):
                yield _row(label, change, found.get((arm, subject, "ratio", of)), signed=of == "added")


def _row(label: str, change: Estimate, ratio: Estimate | None, *, signed: bool) -> Row:
    unit = _unit(change)
    return Row(
        label=f"{label} ({unit.name})",
        before=Shown(*figure(change["before"], unit, signed=signed)),
        after=Shown(*figure(change["after"], unit, signed=signed)),
        change=Shown(*figure(change, unit, signed=True)),
        ratio=_ratio(ratio),
        words=WORDS[change["outcome"]],
    )


def _unit(change: Estimate) -> Unit:
    sides = (change["before"], change["after"], change)
    values = [end for each in sides for end in (value_of(each), *(interval_of(each) or ())) if end is not None]
    return unit_for(change["unit"], values)


def _ratio(estimate: Estimate | None) -> Shown:
    if estimate is None or value_of(estimate) is None:
        return Shown()
    value, interval = figure(estimate, Unit(""))
    return Shown(f"{value}×", interval)


def _relative(found: _Found, arm: str, style: int) -> Iterator[Relative]:
    for label, subject in _OWN:
        estimate = found.get((arm, subject, "ratio", "total"))
        value = value_of(estimate)
        if estimate is not None and value is not None:
            low, high = interval_of(estimate) or (None, None)
            yield Relative(arm, style, label, value - 1, low and low - 1, high and high - 1)


def lines(document: Document) -> Iterator[str]:
    """The comparison as text: validity first, then a block per cell and arm."""
    yield from _state(document)
    for place in places(document):
        for arm, rows in place.arms:
            yield ""
            yield f"{place.topology} · {place.load} · {arm}"
            yield from _columns(rows)
    yield ""
    yield from reading(document)


def _state(document: Document) -> Iterator[str]:
    before, after, validity = document["before"], document["after"], document["validity"]
    yield f"before: {before['name']}, started {before['started_utc'] or 'at an unknown time'}"
    yield f"after:  {after['name']}, started {after['started_utc'] or 'at an unknown time'}"
    yield "VALID" if validity["valid"] else "INVALID: do not use these figures"
    yield from (f"  because {reason}" for reason in validity["reasons"])
    yield from (f"  warning: {warning}" for warning in validity["warnings"])
    for side, arms in (("before", document["only_before"]), ("after", document["only_after"])):
        if arms:
            yield f"  only {side}, so not compared: {', '.join(arms)}"
    for each in document["differs"]:
        yield f"  differs: {each['where']}: {each['before']} → {each['after']}"


def _columns(rows: Sequence[Row]) -> Iterator[str]:
    cells: list[tuple[str, ...]] = [("", "before", "after", "change", "ratio", "")]
    cells += [(row.label, *map(_text, (row.before, row.after, row.change, row.ratio)), row.words) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    for row in cells:
        padded = (text.rjust(width) for text, width in zip(row[1:5], widths[1:5], strict=True))
        yield f"  {row[0].ljust(widths[0])}  {'  '.join(padded)}  {row[5]}".rstrip()


def _text(shown: Shown) -> str:
    return f"{shown.value} {shown.interval}".strip() or "–"


def claims(replay: Document) -> Iterator[tuple[str, Shown, str, str]]:
    """Per claim of a replay: what it is, its change, the margin it is held against, and the outcome."""
    for each in replay["claims"]:
        unit = _unit(each)
        what = "response p50" if each["metric"] == "response" else "CPU per 1,000 requests"
        label = f"{each['topology']} · {each['load']} · {each['arm']}: {'added ' if each['of'] == 'added' else ''}{what} ({unit.name})"
        margin = "–" if each["margin"] is None else f"±{plain(each['margin'] * unit.factor)}"
        yield label, Shown(*figure(each, unit, signed=True)), margin, each["outcome"]


def replay_lines(replay: Document) -> Iterator[str]:
    """The outcome of a replay as text."""
    yield f"{replay['outcome'].upper()}: every claim held against ±{100 * replay['margin']:g} % of what it was"
    rows = [(label, _text(change), margin, outcome) for label, change, margin, outcome in claims(replay)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for label, change, margin, outcome in rows:
        yield f"  {label.ljust(widths[0])}  {change.rjust(widths[1])}  {margin.rjust(widths[2])}  {outcome}"


def sides(document: Document) -> tuple[str, str]:
    """What the two results are to each other: before and after, unless the document says otherwise."""
    first, second = document.get("sides", ("before", "after"))
    return first, second


def reading(document: Document) -> tuple[str, ...]:
    """How to read it, in few sentences."""
    judged = [each for each in document["estimates"] if each["outcome"] != "none" and each["value"] == "difference"]
    return (
        str(document["method"]),
        f"{len(judged)} {'differences' if 'sides' in document else 'changes'} have an interval; if nothing differed, about one in twenty of "
        "them would leave out zero all the same.",
        _hours(document),
    )


def _hours(document: Document) -> str:
    if "sides" in document:
        return "What differs between two hours and not between the rounds of one is in no interval."
    return "What differs between two hours and not between the rounds of one is in no interval: a change of the reference shows it."
