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
    """Calls below their caller, indented; a service that several call is followed once and only named elsewhere."""
    drawing = _Tree(Canvas(width, 0), calls, labels, {service.name: service.note for service in services}, set())
    called = {call.callee for call in calls}
    bottom = 0.0
    for service in services:
        if service.name not in called:
            bottom = drawing.branch(service.name, 10.0, bottom + 22)
    drawing.canvas.height = bottom + 10
    return drawing.canvas


@dataclass(frozen=True, slots=True)
class _Tree:
    canvas: Canvas
    calls: Sequence[Call]
    labels: Mapping[str, Label]
    notes: Mapping[str, str]
    met: set[str]

    def branch(self, name: str, x: float, y: float) -> float:
        """Draws a service and what it calls; returns the lowest line used."""
        made = [call for call in self.calls if call.caller == name]
        again = name in self.met
        self._service(name, "see above" if again and made else self.notes[name], x, y, hollow=again)
        if again:
            return y
        self.met.add(name)
        bottom = y
        for call in made:
            label = self.labels.get(call.id, Label((), ""))
            child_y = bottom + LINE * len(label.lines) + 24
            inner = Canvas(0, 0)
            _lines(inner, label.lines, x + INDENT - 6, bottom + LINE + 2)
            inner.path(f"M{number(x)} {number(y + 4)}V{number(child_y - 4)}H{number(x + INDENT - 6)}", "wire")
            self.canvas.group(inner.parts, label.tip)
            bottom = self.branch(call.callee, x + INDENT, child_y)
        return bottom

    def _service(self, name: str, note: str, x: float, y: float, *, hollow: bool) -> None:
        self.canvas.marker((x, y - 4), 4 if hollow else 0, "node", size=5)
        self.canvas.parts.append(
            f'<text x="{number(x + 12)}" y="{number(y)}"><tspan class="strong">{escaped(name)}</tspan>'
            f'<tspan class="tick" dx="8">{escaped(note)}</tspan></text>'
        )
