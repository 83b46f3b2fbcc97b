"""What each feature costs, on the page: a picture per metric, and the table of the terminal. It computes nothing."""

from collections.abc import Sequence

from harness.report.ablation_table import ABOUT, TITLE, AblationTable, Costs, judgements
from harness.report.elements import (
    Html,
    arm_name,
    element,
    figure_cell,
    joined,
    listed,
    pair,
    paragraph,
    picture,
    section,
    table,
)
from harness.report.interval_chart import Group, Mark, interval_chart
from harness.report.numbers import Estimate, Unit, figure, interval_of, value_of

_READING = (
    "Each line switches one feature on and nothing else. An interval that holds zero means that this experiment sees no cost, up to "
    "the interval's end; about one interval in twenty misses the truth. A feature that is off is absent from every arm that doesn't name it."
)
_ADDING = (
    "Whether the costs add up is told from “together − sum”, taken within each round. Shifts of a median need not add up even where the "
    "work does."
)


def ablation_section(name: str, title: str, found: AblationTable | None, arms: Sequence[str]) -> Html:
    """Pictures of the single features and of all together, then every line as a table; nothing without an ablation.

    `arms` are those of the page: a base has the sign here that it has everywhere.
    """
    if found is None:
        return Html("")
    styles = [arms.index(arm) for arm in found.arms]
    names = [arm_name(style, arm) for style, arm in zip(styles, found.arms, strict=True)]
    return section(
        name,
        title,
        paragraph(f"{ABOUT[0].upper()}{ABOUT[1:]}. {found.resting}", "lead"),
        paragraph(_READING),
        element("div", joined(names), "legend"),
        pair(*(_picture(f"{name}-{index}", costs, found.arms, styles) for index, costs in enumerate(found.costs))),
        _table(found, names),
        element("h3", "Do they add up?"),
        listed(f"{costs.title}, {told}" for costs in found.costs for told in judgements(costs, found.arms)),
        paragraph(_ADDING, "muted"),
    )


def _picture(name: str, costs: Costs, arms: Sequence[str], styles: Sequence[int]) -> Html:
    """The base is left out: it costs several times what a feature does, which would press everything else against zero."""
    groups = [
        Group(line.label, tuple(_marks(line.found, arms, styles, costs.unit)))
        for line in costs.lines
        if line.step != "base"
    ]
    return picture(
        name,
        costs.title,
        f"{costs.title}: what each feature adds",
        "One line per feature, a mark with its 95 % interval for each mesh; the table below has the same figures.",
        lambda width: interval_chart(groups, f"added ({costs.unit.name})", width),
    )


def _marks(found: Sequence[Estimate | None], arms: Sequence[str], styles: Sequence[int], unit: Unit) -> list[Mark]:
    marks = []
    for style, arm, each in zip(styles, arms, found, strict=True):
        value = value_of(each)
        if each is None or value is None:
            continue
        low, high = interval_of(each) or (None, None)
        scaled = [None if end is None else end * unit.factor for end in (low, high)]
        tip = f"{arm}: {' '.join(figure(each, unit, signed=True))} {unit.name}"
        marks.append(Mark(style, value * unit.factor, scaled[0], scaled[1], tip))
    return marks


def _table(found: AblationTable, names: Sequence[Html]) -> Html:
    rows: list[list[object]] = []
    for each in found.sections:
        rows.append([each.title])
        rows.extend([row.label, *(_cell(shown.value, shown.interval) for shown in row.figures)] for row in each.rows)
    return table(["", *names], rows, f"{TITLE}, with 95 % intervals over rounds")


def _cell(value: str, interval: str) -> Html:
    return figure_cell(value, interval) if value else joined(["–"])
