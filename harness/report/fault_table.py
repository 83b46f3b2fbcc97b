"""The figures of faults, the same for terminal and page: per fault a section, per arm a column. It computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.report.figures import Cell
from harness.report.numbers import NO_INTERVAL, Unit, decimals, interval_of, significant, unit_for, value_of, written
from harness.report.table import Headline, Row, Section, Shown, load_words

Entry = Mapping[str, Any]  # Any: one entry of summary.json's `faults`

FIGURES = (
    ("detect", "noticed after"),
    ("recover", "recovered after"),
    ("lost", "requests lost"),
    ("late", "requests late"),
    ("retries", "retries per request"),
)


def fault_headline(manifest: Mapping[str, Any], summary: Mapping[str, Any], cell: Cell) -> Headline:
    """The table of one topology under one load: a section per fault."""
    arms = tuple(arm["id"] for arm in summary["arms"])
    found = of_cell(summary, cell)
    return Headline(
        cell=cell,
        load=load_words(manifest["loads"][cell.load]),
        arms=arms,
        reference=summary["reference"],
        caveat="",
        sections=tuple(_section(fault, by_arm, arms) for fault, by_arm in found.items()),
        contrasts=(),
    )


def of_cell(summary: Mapping[str, Any], cell: Cell) -> dict[str, dict[str, Entry]]:
    """Fault → arm → entry, in the order of the experiment."""
    found: dict[str, dict[str, Entry]] = {}
    for each in summary.get("faults") or ():
        if (each["topology"], each["load"]) == (cell.topology, cell.load):
            found.setdefault(each["fault"], {})[each["arm"]] = each
    return found


def deed(entry: Entry) -> str:
    """`pause c-0 for 1 s`; `latency a>b for 2 s (delay 25 ms)`."""
    params = ", ".join(f"{name.removesuffix('_s')} {_span(value)}" for name, value in entry["params"].items())
    words = " ".join(filter(None, (entry["kind"], entry["target"])))
    return f"{words} for {_span(entry['for_s'])}" + (f" ({params})" if params else "")


def state(entry: Entry | None) -> str:
    """What became of a fault on an arm, in a word or two."""
    if entry is None:
        return "not measured"
    if entry["outcome"] == "measured":
        return f"{entry['counted']} of {entry['repetitions']}"
    return {"invalid": "INVALID", "not-applicable": "not applicable"}.get(entry["outcome"], "not measured")


def form_words(entry: Entry) -> Iterator[tuple[str, str, str, Shown, str]]:
    """Per closed form: figure, expected, measured, their ratio with its interval, and whether they agree."""
    for form in entry["forms"]:
        unit = unit_for(form["unit"], [form["expected"], form["measured"]])
        expected, measured = (_number(form[which], unit) for which in ("expected", "measured"))
        agrees = {True: "agree", False: "differ", None: "undecided: too few repetitions"}[form["agrees"]]
        yield form["figure"], expected, measured, _shown({**form, "estimate": form["ratio"]}, Unit("")), agrees


def _section(fault: str, by_arm: Mapping[str, Entry], arms: Sequence[str]) -> Section:
    entries = [by_arm.get(arm) for arm in arms]
    rows = [Row("repetitions that count", "", tuple(Shown(state(entry)) for entry in entries))]
    rows += [row for name, label in FIGURES for row in _row(name, label, entries)]
    rows += list(_form_rows(entries))
    about = next(deed(entry) for entry in entries if entry)
    return Section(fault, about, tuple(rows), tuple(dict.fromkeys(_notes(entries))))


def _row(name: str, label: str, entries: Sequence[Entry | None]) -> Iterator[Row]:
    """The row, unless no arm has anything in it."""
    found = [entry[name] if entry and entry["outcome"] == "measured" else None for entry in entries]
    there = [each for each in found if each is not None]
    if not there:
        return
    values = [end for each in there for end in (value_of(each), *(interval_of(each) or ())) if end is not None]
    unit = unit_for(there[0]["unit"], values)
    yield Row(label, unit.name, tuple(_shown(each, unit) if each else Shown() for each in found))


def _form_rows(entries: Sequence[Entry | None]) -> Iterator[Row]:
    """Measured over expected; 1 where arithmetic holds."""
    found = [{form["figure"]: form for form in entry["forms"]} if entry else {} for entry in entries]
    for figure in dict.fromkeys(name for each in found for name in each):
        shown = [
            _shown({**each[figure], "estimate": each[figure]["ratio"]}, Unit("")) if figure in each else Shown()
            for each in found
        ]
        yield Row(f"{figure}: measured / expected", "", tuple(shown))


def _notes(entries: Sequence[Entry | None]) -> Iterator[str]:
    for entry in entries:
        if entry is None:
            continue
        if entry["why"]:
            yield f"{entry['arm']}: {entry['why']}"
        for name, label in FIGURES:
            if entry["outcome"] == "measured" and entry[name]["note"] and not _unnoticed(name, entry):
                yield f"{entry['arm']}: {label}: {entry[name]['note']}"
        for void in entry["void"]:
            yield f"{entry['arm']}: repetition {void['repetition']} doesn't count: {void['why']}"


def _unnoticed(name: str, entry: Entry) -> bool:
    """A fault that touches no request can't be noticed by one; that needs no note."""
    return bool(name == "detect" and entry["detect"]["estimate"] is None)


def _shown(figure: Entry, unit: Unit) -> Shown:
    value, ends = value_of(figure), interval_of(figure)
    if value is None:
        return Shown("none")
    if ends is None:
        return Shown(_number(value, unit), NO_INTERVAL)
    low, high = (end * unit.factor for end in ends)
    places = min(unit.places, decimals(low, high) if high > low else significant(value * unit.factor))
    return Shown(written(value * unit.factor, places), f"[{written(low, places)}, {written(high, places)}]")


def _number(value: float, unit: Unit) -> str:
    scaled = value * unit.factor
    text = written(scaled, min(unit.places, significant(scaled)))
    return f"{text} {unit.name}".strip() if unit.name in {"ms", "s"} else text


def _span(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"
