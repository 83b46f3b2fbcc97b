"""The headline table, the same for terminal and page: which figures are shown, in which order and words. It computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.figures import PER_HOP, SYSTEM, TOTAL, Cell, Figures, Subject
from harness.report.numbers import Estimate, Unit, figure, interval_of, no_interval, unit_for, value_of

QUANTILES = ("p50", "p90", "p99")
CPU = Subject("role", TOTAL, "cpu_s_per_1000_requests", "mean")
MEMORY = Subject("role", "sidecar", "memory_per_sidecar_bytes", "loaded")
MEMORY_IDLE = Subject("role", "sidecar", "memory_per_sidecar_bytes", "idle")
UTILISATION = Subject("machine", SYSTEM, "utilisation", "mean")
ERRORS = Subject("request", "entry", "errors", "mean")


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as it is written: the value, and its interval or why there is none. Both empty: not a figure of this arm."""

    value: str = ""
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it is, its unit ("" for none), and a figure per arm."""

    label: str
    unit: str
    figures: tuple[Shown, ...]

    @property
    def heading(self) -> str:
        """`p50 (µs)`."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title; `about` says in a few words what they are."""

    title: str
    about: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contrast:
    """One arm against another: `parts` are what is compared, and the ratio."""

    arm: str
    against: str
    parts: tuple[tuple[str, Shown], ...]


@dataclass(frozen=True, slots=True)
class Headline:
    """Everything of one cell; `caveat` is "" if the figures have intervals."""

    cell: Cell
    load: str
    arms: tuple[str, ...]
    reference: str
    caveat: str
    sections: tuple[Section, ...]
    contrasts: tuple[Contrast, ...]


def headline(manifest: Mapping[str, Any], summary: Mapping[str, Any], cell: Cell) -> Headline:
    """The table of one topology under one load."""
    figures = Figures(summary, cell)
    rounds = next((r for r in summary["rounds"] if (r["topology"], r["load"]) == (cell.topology, cell.load)), None)
    return Headline(
        cell=cell,
        load=load_words(manifest["loads"][cell.load]),
        arms=figures.arms,
        reference=figures.reference,
        caveat=_caveat(figures, len(rounds["valid"]) if rounds else 0),
        sections=tuple(section for section in _sections(figures) if section.rows),
        contrasts=tuple(_contrasts(figures)),
    )


def load_words(load: Mapping[str, Any]) -> str:
    """`420 requests/s (poisson arrivals, 16 connections), window 5 s after 2 s warm-up`."""
    window = f"window {load['window_s']:g} s after {load['warmup_s']:g} s warm-up"
    workload = load.get("workload", {})
    if workload.get("loop") == "closed":
        return f"{load['connections']} users of {workload['name']} (closed loop: each waits for its answers), {window}"
    users = f", users of {workload['name']}" if workload.get("name") else ""
    return f"{load['rate_rps']:,g} requests/s ({load['arrivals']} arrivals, {load['connections']} connections){users}, {window}"


def _caveat(figures: Figures, rounds: int) -> str:
    if not rounds:
        return "no figures: no round counts"
    found = figures.absolute(figures.reference, CPU)
    if found is None or interval_of(found) is not None or value_of(found) is None:
        return ""
    return f"{no_interval(found)}: 6 or more are needed; read the figures as rough"


def _sections(figures: Figures) -> Iterator[Section]:
    response = [(q, Subject("request", "entry", "response", q)) for q in QUANTILES]
    yield _section(figures, "Response time", "due to last byte, as a user sees it", response, added=False)
    yield _section(figures, f"Added over {figures.reference}", "paired by round", response, added=True)
    hops = figures.subjects("hop", "hop", "p50")
    count = len([hop for hop in hops if hop != PER_HOP])
    yield Section(
        "Added per hop",
        f"p50 of a hop's own time, over {count} hop{'' if count == 1 else 's'}",
        (*_rows(figures, [("mean hop", Subject("hop", PER_HOP, "hop", "p50"))], added=True), *_worst(figures, hops)),
    )
    yield Section(
        "CPU per 1,000 requests",
        "all processes of the system under test",
        (*_rows(figures, [("used", CPU)], added=False), *_rows(figures, [("added", CPU)], added=True)),
    )
    memory = [("loaded", MEMORY), ("idle", MEMORY_IDLE)]
    yield _section(figures, "Memory per sidecar", "added PSS of all processes / sidecars", memory, added=False)
    machine = [("utilisation", UTILISATION), ("failed", ERRORS)]
    yield _section(figures, "Health", "busy share of the system's CPUs, failed share of requests", machine, added=False)


def _section(figures: Figures, title: str, about: str, asked: Sequence[tuple[str, Subject]], *, added: bool) -> Section:
    return Section(
        title, about, tuple(_rows(figures, asked, added=added)), () if added else tuple(_missing(figures, asked))
    )


def _rows(figures: Figures, asked: Sequence[tuple[str, Subject]], *, added: bool) -> Iterator[Row]:
    for label, subject in asked:
        find = figures.added if added else figures.absolute
        found = [find(arm, subject) for arm in figures.arms]
        if any(value_of(each) is not None for each in found):
            yield _row(label, found, signed=added)


def _row(label: str, found: Sequence[Estimate | None], *, signed: bool) -> Row:
    unit = _unit(found)
    return Row(label, unit.name, tuple(_shown(each, unit, signed=signed) for each in found))


def _unit(found: Sequence[Estimate | None]) -> Unit:
    there = [each for each in found if each is not None]
    values = [end for each in there for end in (value_of(each), *(interval_of(each) or ())) if end is not None]
    return unit_for(there[0]["unit"], values)


def _shown(estimate: Estimate | None, unit: Unit, *, signed: bool) -> Shown:
    return Shown() if estimate is None else Shown(*figure(estimate, unit, signed=signed))


def _missing(figures: Figures, asked: Sequence[tuple[str, Subject]]) -> Iterator[str]:
    """Why a row isn't there, once, from the first arm that can't have it."""
    for _, subject in asked:
        found = [each for arm in figures.arms if (each := figures.absolute(arm, subject)) is not None]
        if found and all(value_of(each) is None for each in found):
            yield str(found[0]["note"])


def _worst(figures: Figures, hops: Sequence[str]) -> Iterator[Row]:
    """Per arm the hop to which it adds most; which hop that is stands below its figure."""
    named: list[str] = []
    found: list[Estimate | None] = []
    for arm in figures.arms:
        each = [(hop, figures.added(arm, Subject("hop", hop, "hop", "p50"))) for hop in hops if hop != PER_HOP]
        known = [(value, hop, estimate) for hop, estimate in each if (value := value_of(estimate)) is not None]
        top = max(known, key=lambda one: one[0], default=None)
        named.append(top[1] if top else "")
        found.append(top[2] if top else None)
    if any(named):
        yield _row("worst hop", found, signed=True)
        yield Row("at hop", "", tuple(Shown(name) for name in named))


def _contrasts(figures: Figures) -> Iterator[Contrast]:
    asked = [
        ("added p50", Subject("request", "entry", "response", "p50"), "added"),
        ("added p90", Subject("request", "entry", "response", "p90"), "added"),
        ("CPU added", CPU, "added"),
        ("memory per sidecar", MEMORY, "total"),
    ]
    for arm, against in figures.contrasts:
        found = [(label, figures.ratio(arm, against, subject, of)) for label, subject, of in asked]
        parts = tuple((label, _ratio(each)) for label, each in found if each is not None)
        if parts:
            yield Contrast(arm, against, parts)


def _ratio(estimate: Estimate) -> Shown:
    value, interval = figure(estimate, Unit(""))
    return Shown(f"{value}×" if value_of(estimate) is not None else value, interval)
