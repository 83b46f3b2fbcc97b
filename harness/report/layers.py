"""Where the services and calls of a topology stand on a picture: layers from the entry to the leaves. Pure geometry on names; the
same graph always gets the same places, and no two labels share one.

Every call ends in a lane of its own before its callee, and its label stands on that lane. Calls that pass a layer get a lane
there too (K. Sugiyama, S. Tagawa and M. Toda, IEEE Trans. SMC 11, 1981: layers, dummies, barycentres).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Call:
    """An edge of the graph."""

    id: str
    caller: str
    callee: str


@dataclass(frozen=True, slots=True)
class Box:
    """A service: its layer, and the rows it spans, in lanes from the top."""

    name: str
    layer: int
    top: float
    lanes: int

    @property
    def centre(self) -> float:
        """The row on which its outgoing calls leave."""
        return self.top + self.lanes / 2


@dataclass(frozen=True, slots=True)
class Route:
    """A call: the rows on which it crosses each layer after the caller's; the last is its lane at the callee."""

    call: Call
    rows: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything in its place; `lanes` is the height of the picture, `layers` its length."""

    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    layers: int
    lanes: float


_Item = tuple[str, str]  # ("box", service) or ("pass", call id)


def layout(services: Sequence[str], calls: Sequence[Call]) -> Layout:
    """Places for a directed acyclic graph; services without a caller stand in the first layer."""
    layer = depths(services, calls)
    sources = _sources(calls, layer)
    columns = _ordered(services, layer, sources)
    lanes = {item: _lanes(item, calls) for column in columns for item in column}
    tallest = max(sum(lanes[item] for item in column) for column in columns)
    top = _tops(columns, sources, lanes)
    boxes = tuple(Box(name, layer[name], top["box", name], _lanes(("box", name), calls)) for name in services)
    return Layout(boxes, _routes(calls, layer, top, boxes), len(columns), float(tallest))


def depths(services: Sequence[str], calls: Sequence[Call]) -> dict[str, int]:
    """The longest way from a service without callers, per service."""
    depth = dict.fromkeys(services, 0)
    for _ in services:
        for call in calls:
            depth[call.callee] = max(depth[call.callee], depth[call.caller] + 1)
    return depth


def _lanes(item: _Item, calls: Sequence[Call]) -> int:
    kind, name = item
    return 1 if kind == "pass" else max(1, sum(call.callee == name for call in calls))


def _sources(calls: Sequence[Call], layer: Mapping[str, int]) -> dict[_Item, list[_Item]]:
    """What leads to each service and to each place where a call passes a layer: always something in the layer before."""
    sources: dict[_Item, list[_Item]] = {}
    for call in calls:
        before: _Item = ("box", call.caller)
        for passed in range(layer[call.caller] + 1, layer[call.callee]):
            item = ("pass", f"{passed} {call.id}")
            sources[item] = [before]
            before = item
        sources.setdefault(("box", call.callee), []).append(before)
    return sources


def _ordered(
    services: Sequence[str], layer: Mapping[str, int], sources: Mapping[_Item, Sequence[_Item]]
) -> list[list[_Item]]:
    """Each layer's items, sorted by the mean place of what leads to them, then as declared."""
    columns: list[list[_Item]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in services:
        columns[layer[name]].append(("box", name))
    for kind, name in sources:
        if kind == "pass":
            columns[int(name.partition(" ")[0])].append((kind, name))
    place: dict[_Item, float] = {}
    for column in columns:
        declared = {item: index for index, item in enumerate(column)}
        column.sort(key=lambda item: (_mean([place[s] for s in sources.get(item, [])]), declared[item]))
        place.update({item: index / len(column) for index, item in enumerate(column)})
    return columns


def _tops(
    columns: Sequence[Sequence[_Item]], sources: Mapping[_Item, Sequence[_Item]], lanes: Mapping[_Item, int]
) -> dict[_Item, float]:
    """The upper row of each item: the tallest layer is full; from there on each item stands as near as it can to its neighbours."""
    targets: dict[_Item, list[_Item]] = {}
    for item, each in sources.items():
        for source in each:
            targets.setdefault(source, []).append(item)
    heights = [sum(lanes[item] for item in column) for column in columns]
    tallest = heights.index(max(heights))
    top: dict[_Item, float] = {}
    for at in [*range(tallest, -1, -1), *range(tallest + 1, len(columns))]:
        near = targets if at < tallest else sources
        wishes: list[float | None] = []
        for item in columns[at]:
            centres = [top[other] + lanes[other] / 2 for other in near.get(item, ()) if other in top]
            wishes.append(_mean(centres) - lanes[item] / 2 if centres else None)
        top.update(zip(columns[at], _settled(wishes, [lanes[item] for item in columns[at]], max(heights)), strict=True))
    return top


def _settled(wishes: Sequence[float | None], sizes: Sequence[int], room: float) -> list[float]:
    """Tops in the given order, none over another, all within `room`, as near to the wishes as that allows (least squares:
    neighbours that would overlap stand together round the mean of their wishes). Who has no wish stands by the one above."""
    offsets = [0, *accumulate(sizes)]
    starts = [None if wish is None else wish - offset for wish, offset in zip(wishes, offsets, strict=False)]
    last = next((start for start in starts if start is not None), (room - offsets[-1]) / 2)
    blocks: list[list[float]] = []
    for start in starts:
        last = last if start is None else start
        blocks.append([last])
        while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    settled = [min(max(_mean(block), 0.0), room - offsets[-1]) for block in blocks for _ in block]
    return [start + offset for start, offset in zip(settled, offsets, strict=False)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _routes(
    calls: Sequence[Call], layer: Mapping[str, int], top: Mapping[_Item, float], boxes: Sequence[Box]
) -> tuple[Route, ...]:
    box = {each.name: each for each in boxes}
    passing = {
        call.id: [top["pass", f"{n} {call.id}"] + 0.5 for n in range(layer[call.caller] + 1, layer[call.callee])]
        for call in calls
    }
    arrival = {call.id: (passing[call.id] or [box[call.caller].centre])[-1] for call in calls}
    lane: dict[str, float] = {}
    for name, callee in box.items():
        arriving = sorted((call for call in calls if call.callee == name), key=lambda call: arrival[call.id])
        lane.update({call.id: callee.top + index + 0.5 for index, call in enumerate(arriving)})
    return tuple(Route(call, (*passing[call.id], lane[call.id])) for call in calls)
