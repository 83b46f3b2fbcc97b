"""CPU and memory by role on the page: bars and tables. It computes nothing."""

from collections.abc import Iterable, Iterator, Sequence

from harness.analysis.series import RoleCosts
from harness.report.charts import Segment, Stack, stacked_bars
from harness.report.elements import (
    Html,
    arm_name,
    details,
    element,
    figure_cell,
    joined,
    pair,
    paragraph,
    picture,
    section,
    swatch_legend,
    table,
)
from harness.report.figures import SYSTEM, TOTAL, Figures, Subject
from harness.report.numbers import Estimate, Unit, figure, interval_of, plain, unit_for, value_of

KNOWN_ROLES = ("app", "sidecar", "control")
SIZES = (("pss_bytes", "PSS"), ("uss_bytes", "USS"), ("rss_bytes", "RSS"))


def cost_section(name: str, title: str, figures: Figures, costs: Sequence[RoleCosts]) -> Html:
    """Bars of CPU and memory by role, then the tables."""
    roles = _ordered(role for cost in costs for role in cost.pss_mb)
    cpu = _stacks(figures, [(cost.arm, cost.cpu_ms_per_1000) for cost in costs], "ms")
    memory = _stacks(figures, [(cost.arm, cost.pss_mb) for cost in costs], "MB")
    return section(
        name,
        title,
        paragraph(
            "CPU time is read from the kernel's per-process clocks at the window's edges. Memory is PSS: pages that processes share are "
            "counted once, split among them. The load generator's own CPU and memory are not in here."
        ),
        swatch_legend((_css(role), role) for role in roles),
        pair(
            _bars(
                f"{name}-cpu", "CPU time per 1,000 requests by role, mean over rounds", cpu, "CPU ms per 1,000 requests"
            ),
            _bars(f"{name}-memory", "Memory under load by role, mean over rounds", memory, "PSS in MB (10⁶ bytes)"),
        ),
        _cpu_table(figures, roles),
        _sizes_table(figures),
        details("Memory per process, by role", _memory_table(figures, roles)),
    )


def _bars(name: str, title: str, stacks: Sequence[Stack], axis: str) -> Html:
    described = "Horizontal bars, one per arm, in parts by role; the tables below have the figures."
    return picture(name, title, title, described, lambda width: stacked_bars(stacks, axis, width))


def _ordered(found: Iterable[str]) -> list[str]:
    """Each role once, known ones first."""
    there = dict.fromkeys(found)
    return [role for role in KNOWN_ROLES if role in there] + [role for role in there if role not in KNOWN_ROLES]


def _css(role: str) -> str:
    return f"part p-{role if role in KNOWN_ROLES else 'other'}"


def _stacks(figures: Figures, costs: Sequence[tuple[str, dict[str, float]]], unit: str) -> list[Stack]:
    return [
        Stack(
            arm,
            figures.arms.index(arm),
            tuple(
                Segment(by_role[role], _css(role), f"{arm}, {role}: {plain(by_role[role])} {unit}")
                for role in _ordered(by_role)
            ),
            plain(sum(by_role.values())),
        )
        for arm, by_role in costs
    ]


def _cpu_table(figures: Figures, roles: Sequence[str]) -> Html:
    metric = "cpu_s_per_1000_requests"
    asked = [(role, Subject("role", role, metric, "mean")) for role in (*roles, TOTAL)]
    asked += [(_carrier(name), Subject("machine", name, metric, "mean")) for name in _carriers(figures, metric)]
    asked.append(("these CPUs in all", Subject("machine", SYSTEM, metric, "mean")))
    rows = list(_rows(figures, [("all roles" if label == TOTAL else label, subject) for label, subject in asked]))
    caption = "CPU per 1,000 requests, with 95 % intervals; “these CPUs in all” also holds kernel work that belongs to no process"
    return table(_head(figures), rows, caption)


def _carriers(figures: Figures, metric: str) -> list[str]:
    """What carries the units and is none of them."""
    return [name for name in figures.subjects("machine", metric, "mean") if name != SYSTEM]


def _carrier(name: str) -> str:
    return f"{name.capitalize()} itself"


def _sizes_table(figures: Figures) -> Html:
    asked = [
        (f"{words} {edge}", Subject("machine", SYSTEM, size, edge))
        for size, words in SIZES
        for edge in ("loaded", "idle")
    ]
    caption = "Memory of all processes together, with 95 % intervals: loaded at the window's end, idle before the load"
    return table(_head(figures), _rows(figures, asked), caption)


def _memory_table(figures: Figures, roles: Sequence[str]) -> Html:
    rows: list[list[object]] = []
    for role in roles:
        rows.append([joined([role, " ", element("span", "per process", "muted")])])
        rows.extend(_rows(figures, [("processes", Subject("role", role, "units", "count"))]))
        asked = [
            (f"{words} {edge}", Subject("role", role, size, edge))
            for size, words in SIZES
            for edge in ("idle", "loaded")
        ]
        rows.extend(_rows(figures, asked))
    return table(
        _head(figures),
        rows,
        "Memory per process, with 95 % intervals: idle before the load, loaded at the window's end",
    )


def _head(figures: Figures) -> list[object]:
    return ["", *(arm_name(style, arm) for style, arm in enumerate(figures.arms))]


def _rows(figures: Figures, asked: Sequence[tuple[str, Subject]]) -> Iterator[list[object]]:
    for label, subject in asked:
        found = [figures.absolute(arm, subject) for arm in figures.arms]
        there = [each for each in found if each is not None and value_of(each) is not None]
        if not there:
            continue
        ends = [end for each in there for end in (each["estimate"], *(interval_of(each) or ()))]
        unit = unit_for(there[0]["unit"], ends)
        heading = f"{label} ({unit.name})" if unit.name else label
        yield [heading, *(_cell(each, unit) for each in found)]


def _cell(found: Estimate | None, unit: Unit) -> Html:
    if found is None:
        return figure_cell("", "")
    if found["metric"] == "units":
        return figure_cell(f"{found['estimate']:g}", "")
    return figure_cell(*figure(found, unit))
