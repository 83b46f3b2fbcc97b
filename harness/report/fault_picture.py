"""Draws requests around a fault: bars of fine, late and lost in each tenth of a second, and when it came and went. It computes nothing
but positions."""

from collections.abc import Sequence

from harness.analysis.fault_timeline import Slot, Timeline
from harness.report.svg import Canvas, Scale

HEIGHT = 190.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 30.0, 40.0
NS_PER_S = 1e9
LEAST_NS = 1e8
"""Marks closer than a bar's width are one."""
PARTS = (("lost", "fault-lost", "lost"), ("late", "fault-late", "late"), ("fine", "fault-fine", "fine"))
"""From the bottom up: attribute, class, word."""


def fault_bars(shown: Timeline, highest: int, width: float) -> Canvas:
    """`highest` requests fill the height, so that arms beside each other have one scale."""
    canvas = Canvas(width, HEIGHT)
    x = Scale(shown.slots[0].start_ns, shown.slots[-1].start_ns + 1e8, LEFT, width - RIGHT)
    y = Scale(0, max(1, highest), HEIGHT - BOTTOM, TOP)
    _grid(canvas, y, width)
    for slot in shown.slots:
        _bar(canvas, slot, x, y)
    _seconds(canvas, shown.slots, x)
    _mark(canvas, x(0), "fault", 10, "end" if x(0) > width / 2 else "start")
    late = shown.back_ns is not None and shown.back_ns - shown.healed_ns >= LEAST_NS
    _mark(canvas, x(shown.healed_ns), "healed", 22, "end" if late else "start")
    if shown.back_ns is not None and late:
        _mark(canvas, x(min(shown.back_ns, shown.slots[-1].start_ns)), "back", 10, "start")
    canvas.text(((LEFT + width - RIGHT) / 2, HEIGHT - 6), "s since the fault was applied", "axis", "middle")
    return canvas


def _grid(canvas: Canvas, y: Scale, width: float) -> None:
    for tick in y.ticks(3):
        canvas.line((LEFT, y(tick)), (width - RIGHT, y(tick)), "grid")
        canvas.text((LEFT - 6, y(tick) + 4), f"{tick:g}", "tick", "end")


def _bar(canvas: Canvas, slot: Slot, x: Scale, y: Scale) -> None:
    left, right, height = x(slot.start_ns), x(slot.start_ns + 1e8), 0
    tip = f"{slot.start_ns / NS_PER_S:.1f} s: {slot.fine} fine, {slot.late} late, {slot.lost} lost"
    for name, css, _ in PARTS:
        count = getattr(slot, name)
        if count:
            top, bottom = y(height + count), y(height)
            canvas.rect((left, top), (max(0.5, right - left - 0.5), bottom - top), css, tip)
            height += count


def _seconds(canvas: Canvas, slots: Sequence[Slot], x: Scale) -> None:
    for slot in slots:
        if slot.start_ns % 1_000_000_000 == 0:
            at = x(slot.start_ns)
            canvas.line((at, HEIGHT - BOTTOM), (at, HEIGHT - BOTTOM + 4), "frame")
            canvas.text(
                (at, HEIGHT - BOTTOM + 17), f"{slot.start_ns // 1_000_000_000}".replace("-", "−"), "tick", "middle"
            )


def _mark(canvas: Canvas, at: float, word: str, top: float, anchor: str) -> None:
    canvas.line((at, top + 3), (at, HEIGHT - BOTTOM), "fault-mark")
    canvas.text((at + (4 if anchor == "start" else -4), top), word, "tick", anchor)
