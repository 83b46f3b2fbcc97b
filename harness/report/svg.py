"""Drawing primitives: a canvas of SVG elements, scales and their ticks. It knows no metric, no arm and no colour.

Every string that reaches the page goes through `escaped`; colours are CSS classes, so that one picture serves light and dark.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4")
"""By arm, in order: lines stay apart without colour."""

CHARACTER_WIDTH = 0.56
"""Of a sans-serif digit or letter, as a share of the font size: enough to reserve room for labels."""


def escaped(text: object) -> str:
    """Any text made harmless inside an element or a quoted attribute; what XML and UTF-8 can't hold becomes U+FFFD."""
    return escape(_UNPRINTABLE.sub("\ufffd", str(text)), quote=True)


def number(value: float) -> str:
    """A coordinate: one decimal, no trailing zero, no negative zero."""
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")
    )


def text_width(text: str, size: float = 13) -> float:
    """About how wide a label is."""
    return len(text) * size * CHARACTER_WIDTH


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels, linear or logarithmic (then both ends are above 0); constant if the ends are equal."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._bent(self.low), self._bent(self.high)
        share = (self._bent(value) - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def _bent(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round values inside the ends, about `wanted` of them."""
        return log_ticks(self.low, self.high, wanted) if self.log else linear_ticks(self.low, self.high, wanted)


def linear_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Powers of ten, with 2 and 5 between them as far as `wanted` allows; never fewer than two if the ends differ."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = [f * 10.0**d for d in decades for f in factors if low * 0.999 <= f * 10.0**d <= high * 1.001]
        if len(found) >= min(wanted, 4):
            return found
    return linear_ticks(low, high, 3)


@dataclass(slots=True)
class Canvas:
    """Elements in drawing order. `svg` closes it into one accessible picture."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def line(self, start: Point, end: Point, css: str) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self.parts.append(
            f'<line class="{css}" x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"/>'
        )

    def polyline(self, points: Sequence[Point], css: str, dash: str = "") -> None:
        """An open line through points."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline class="{css}"{dashed} points="{_joined(points)}"/>')

    def polygon(self, points: Sequence[Point], css: str) -> None:
        """A filled outline."""
        self.parts.append(f'<polygon class="{css}" points="{_joined(points)}"/>')

    def path(self, commands: str, css: str) -> None:
        """A path in SVG's own language; `commands` are ours, never a user's."""
        self.parts.append(f'<path class="{css}" d="{commands}"/>')

    def rect(self, corner: Point, size: Point, css: str, tip: str = "", radius: float = 0) -> None:
        """A rectangle, with a tooltip if there is something to tell."""
        (x, y), (w, h) = corner, size
        rounded = f' rx="{number(radius)}"' if radius else ""
        self._tipped(
            f'<rect class="{css}" x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}"{rounded}',
            "rect",
            tip,
        )

    def marker(self, at: Point, index: int, css: str, tip: str = "", size: float = 4) -> None:
        """The sign of arm `index`: circle, square, triangle, diamond, and from there again, hollow."""
        x, y = at
        hollow = " hollow" if index % 8 >= 4 else ""
        shapes = (
            f'<circle class="{css}{hollow}" cx="{number(x)}" cy="{number(y)}" r="{number(size)}"',
            f'<path class="{css}{hollow}" d="{_closed([(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)])}"',
            f'<path class="{css}{hollow}" d="{_closed([(x, y - size * 1.3), (x + size * 1.2, y + size), (x - size * 1.2, y + size)])}"',
            f'<path class="{css}{hollow}" d="{_closed([(x, y - size * 1.4), (x + size * 1.4, y), (x, y + size * 1.4), (x - size * 1.4, y)])}"',
        )
        self._tipped(shapes[index % 4], "circle" if index % 4 == 0 else "path", tip)

    def text(self, at: Point, words: str, css: str = "", anchor: str = "start") -> None:
        """A label; `anchor` is start, middle or end."""
        named = f' class="{css}"' if css else ""
        self.parts.append(
            f'<text{named} x="{number(at[0])}" y="{number(at[1])}" text-anchor="{anchor}">{escaped(words)}</text>'
        )

    def upright_text(self, at: Point, words: str) -> None:
        """The label of a vertical axis, read from below."""
        x, y = number(at[0]), number(at[1])
        self.parts.append(
            f'<text class="axis" transform="translate({x} {y}) rotate(-90)" text-anchor="middle">{escaped(words)}</text>'
        )

    def group(self, parts: Iterable[str], tip: str) -> None:
        """Elements that share a tooltip."""
        self.parts.append(f"<g><title>{escaped(tip)}</title>{''.join(parts)}</g>")

    def _tipped(self, opening: str, tag: str, tip: str) -> None:
        self.parts.append(f"{opening}><title>{escaped(tip)}</title></{tag}>" if tip else f"{opening}/>")

    def svg(self, name: str, title: str, description: str, css: str = "") -> str:
        """The picture with its title and description for those who don't see it; `name` is unique on the page."""
        width, height = number(self.width), number(self.height)
        return (
            f'<svg class="{css}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escaped(title)}</title>'
            f'<desc id="{name}-d">{escaped(description)}</desc>{"".join(self.parts)}</svg>'
        )


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def _closed(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + "Z"
