"""The topology drawn with what each hop costs: services in layers with labelled calls, or, where there is little room, as a tree."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.report.layers import Box, Call, Layout, Route, layout
from harness.report.svg import Canvas, escaped, number, text_width

LINE = 17
CURVE = 34
INDENT = 18
WIDTH = 1180.0
"""What the page has; a smaller graph is stretched towards it, by at most SPARE a layer."""
SPARE = 120.0


@dataclass(frozen=True, slots=True)
class Label:
    """What stands at a call: one line per arm with the arm's style, and the tooltip with the parts."""

    lines: tuple[tuple[int, str], ...]
    tip: str


@dataclass(frozen=True, slots=True)
class Service:
    """A box: its name and a word about it (entry, replicas)."""

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Pixels of a layout: where each layer's boxes begin, how wide they are, how high a lane is."""

    lefts: tuple[float, ...]
    widths: tuple[float, ...]
    lane: float
    top: float

    def y(self, row: float) -> float:
        return self.top + row * self.lane


def graph(services: Sequence[Service], calls: Sequence[Call], labels: Mapping[str, Label]) -> Canvas:
    """Layers from left to right, as wide as it needs to be."""
    placed = layout([service.name for service in services], calls)
    arms = max((len(label.lines) for label in labels.values()), default=1)
    room = 40 + max((text_width(words) for label in labels.values() for _, words in label.lines), default=60.0)
    notes = {service.name: service.note for service in services}
    grid = _grid(placed, notes, room, max(58.0, 2 * LINE * math.ceil(arms / 2) + 24.0))
    canvas = Canvas(grid.lefts[-1] + grid.widths[-1] + 4, placed.lanes * grid.lane + 8)
    boxes = {box.name: box for box in placed.boxes}
    for route in placed.routes:
        _call(canvas, grid, route, boxes, labels.get(route.call.id, Label((), "")))
    for box in placed.boxes:
        _box(canvas, grid, box, notes[box.name])
    return canvas


def _grid(placed: Layout, notes: Mapping[str, str], room: float, lane: float) -> _Grid:
    widths = []
    for layer in range(placed.layers):
        names = [box.name for box in placed.boxes if box.layer == layer]
        widths.append(max(72.0, *(max(text_width(name), text_width(notes[name], 12)) + 24 for name in names)))
    gaps = max(1, placed.layers - 1)
    spare = (WIDTH - sum(widths)) / gaps - CURVE - room
    step = CURVE + room + min(SPARE, max(0.0, spare))
    lefts = [4.0 + sum(widths[:layer]) + step * layer for layer in range(placed.layers)]
    return _Grid(tuple(lefts), tuple(widths), lane, 4.0)


def _box(canvas: Canvas, grid: _Grid, box: Box, note: str) -> None:
    width = grid.widths[box.layer]
    height = max(44.0, box.lanes * grid.lane - 16)
    left, middle = grid.lefts[box.layer], grid.y(box.centre)
    canvas.rect((left, middle - height / 2), (width, height), "box", radius=6)
    canvas.text((left + width / 2, middle + (-2 if note else 5)), box.name, "strong", "middle")
    if note:
        canvas.text((left + width / 2, middle + 14), note, "tick", "middle")


def _call(canvas: Canvas, grid: _Grid, route: Route, boxes: Mapping[str, Box], label: Label) -> None:
    """A curve to the lane before the callee, the lane with its arrow, and the label on the lane."""
    caller, callee = boxes[route.call.caller], boxes[route.call.callee]
    x, y = grid.lefts[caller.layer] + grid.widths[caller.layer], grid.y(caller.centre)
    commands = f"M{number(x)} {number(y)}"
    for layer, row in enumerate(route.rows, start=caller.layer + 1):
        to_x, to_y = grid.lefts[layer - 1] + grid.widths[layer - 1] + CURVE, grid.y(row)
        half = number((x + to_x) / 2)
        through = grid.lefts[layer] + (0 if layer == callee.layer else grid.widths[layer])
        commands += f"C{half} {number(y)} {half} {number(to_y)} {number(to_x)} {number(to_y)}H{number(through)}"
        x, y = through, to_y
    inner = Canvas(0, 0)
    inner.path(commands, "wire")
    inner.path(f"M{number(x - 9)} {number(y - 5)}L{number(x)} {number(y)}L{number(x - 9)} {number(y + 5)}", "wire")
    lane = grid.lefts[callee.layer - 1] + grid.widths[callee.layer - 1] + CURVE
    above = math.ceil(len(label.lines) / 2)
    _lines(inner, label.lines[:above], lane + 6, y - 8 - LINE * (above - 1))
    _lines(inner, label.lines[above:], lane + 6, y + LINE + 1)
    canvas.group(inner.parts, label.tip)


def _lines(canvas: Canvas, lines: Sequence[tuple[int, str]], x: float, first: float) -> None:
    for index, (style, words) in enumerate(lines):
        y = first + index * LINE
        canvas.marker((x + 4, y - 4), style, f"mark f{style % 6} s{style % 6}")
        canvas.text((x + 16, y), words)


def tree(services: Sequence[Service], calls: Sequence[Call], labels: Mapping[str, Label], width: float) -> Canvas:
    """Calls below their caller, indented; a service that several call is followed once and named again elsewhere."""
    canvas = Canvas(width, 0)
    notes = {service.name: service.note for service in services}
    called = {call.callee for call in calls}
    bottom = 0.0
    met: set[str] = set()
    for service in services:
        if service.name not in called:
            bottom = _branch(canvas, service.name, calls, labels, notes, (10.0, bottom + 22), met)
    canvas.height = bottom + 10
    return canvas


def _branch(
    canvas: Canvas,
    name: str,
    calls: Sequence[Call],
    labels: Mapping[str, Label],
    notes: Mapping[str, str],
    at: tuple[float, float],
    met: set[str],
) -> float:
    """Draws a service and what it calls; returns the lowest line used."""
    x, y = at
    again = name in met
    canvas.marker((x, y - 4), 4 if again else 0, "node", size=5)
    note = "see above" if again and any(call.caller == name for call in calls) else notes[name]
    canvas.parts.append(
        f'<text x="{number(x + 12)}" y="{number(y)}"><tspan class="strong">{escaped(name)}</tspan>'
        f'<tspan class="tick" dx="8">{escaped(note)}</tspan></text>'
    )
    if again:
        return y
    met.add(name)
    for call in [call for call in calls if call.caller == name]:
        label = labels.get(call.id, Label((), ""))
        inner = Canvas(0, 0)
        _lines(inner, label.lines, x + INDENT - 6, y + LINE + 2)
        child_y = y + LINE * len(label.lines) + 24
        inner.path(f"M{number(x)} {number(at[1] + 4)}V{number(child_y - 4)}H{number(x + INDENT - 6)}", "wire")
        canvas.group(inner.parts, label.tip)
        y = _branch(canvas, call.callee, calls, labels, notes, (x + INDENT, child_y), met)
    return y
