"""Pieces of HTML: tables, figures with a wide and a narrow drawing, legends, details. It knows no metric.

What is `Html` is finished; any other text is escaped on its way in, so a name can't become markup.
"""

from collections.abc import Callable, Iterable, Sequence

from harness.report.numbers import NO_INTERVAL
from harness.report.svg import DASHES, Canvas, escaped, number

WIDE = 590.0
NARROW = 340.0


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def html(text: object) -> Html:
    """Escapes what isn't markup."""
    return text if isinstance(text, Html) else Html(escaped(text))


def element(tag: str, content: object, css: str = "", **attributes: str) -> Html:
    """One element; `css` is its class."""
    extra = "".join(f' {name}="{escaped(value)}"' for name, value in attributes.items())
    named = f' class="{css}"' if css else ""
    return Html(f"<{tag}{named}{extra}>{html(content)}</{tag}>")


def joined(pieces: Iterable[object]) -> Html:
    """One after the other."""
    return Html("".join(html(piece) for piece in pieces))


def paragraph(text: object, css: str = "") -> Html:
    """A paragraph."""
    return element("p", text, css)


def listed(items: Iterable[object], css: str = "") -> Html:
    """An unordered list; nothing if it is empty."""
    content = joined(element("li", item) for item in items)
    return element("ul", content, css) if content else Html("")


def section(name: str, title: object, *content: object) -> Html:
    """A section with an anchor."""
    body = joined([element("h2", title), *content])
    return Html(f'<section id="{escaped(name)}">{body}</section>')


def figure_cell(value: str, interval: str) -> Html:
    """A figure in a table: the value, and beside it (below, where there is little room) its interval."""
    shown = "[none]" if interval.startswith(NO_INTERVAL) else interval
    return joined([value or "–", " ", element("span", shown, "ci")])


def details(summary: object, *content: object) -> Html:
    """Folded content, open without any script."""
    return Html(f"<details><summary>{html(summary)}</summary>{joined(content)}</details>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: str, css: str = "") -> Html:
    """A table whose first column heads its rows; it scrolls by itself where it is too wide.

    A row of one cell is a heading across the table.
    """
    first, *others = head
    top = element("th", first, scope="col") + joined(element("th", each, scope="col") for each in others)
    body = joined(_row(row, len(head)) for row in rows)
    return Html(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}"><table class="{css}">'
        f"<caption>{escaped(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[object], columns: int) -> Html:
    first, *others = row
    if not others:
        return Html(f'<tr class="group"><th scope="colgroup" colspan="{columns}">{html(first)}</th></tr>')
    return Html(f'<tr><th scope="row">{html(first)}</th>{joined(element("td", each) for each in others)}</tr>')


def picture(
    name: str,
    caption: object,
    title: str,
    description: str,
    draw: Callable[[float], Canvas],
    *,
    wide: float = WIDE,
    narrow: float = NARROW,
) -> Html:
    """A chart drawn twice, so that its letters stay readable: style sheets show the one that fits."""
    pictures = draw(wide).svg(f"{name}-w", title, description, "wide") + draw(narrow).svg(
        f"{name}-n", title, description, "narrow"
    )
    return Html(f"<figure><figcaption>{html(caption)}</figcaption>{pictures}</figure>")


def scrolled(picture_html: str, label: str) -> Html:
    """Something that may be wider than the page."""
    return Html(f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(label)}">{picture_html}</div>')


def pair(*content: object) -> Html:
    """Side by side where there is room."""
    return Html(f'<div class="pair">{joined(content)}</div>')


def arm_legend(arms: Sequence[str]) -> Html:
    """Each arm's line and marker beside its name."""
    return _legend((arm_sign(style), arm) for style, arm in enumerate(arms))


def arm_name(style: int, arm: str) -> Html:
    """An arm's name with its sign; where there is little room it breaks after a feature."""
    name = escaped(arm).replace(",", ",<wbr>")
    return Html(f'<span class="key">{arm_sign(style)}<span>{name}</span></span>')


def arm_sign(style: int) -> Html:
    """The line and marker of the arm at place `style`."""
    canvas = Canvas(34, 14)
    canvas.polyline([(1, 7), (33, 7)], f"line s{style % 6}", DASHES[style % len(DASHES)])
    canvas.marker((17, 7), style, f"mark f{style % 6} s{style % 6}")
    return _sign(canvas)


def swatch_legend(items: Iterable[tuple[str, str]]) -> Html:
    """(class, words) of the parts of bars."""
    return _legend((_swatch(css), words) for css, words in items)


def _swatch(css: str) -> Html:
    canvas = Canvas(16, 14)
    canvas.rect((1, 1), (14, 12), css)
    return _sign(canvas)


def _sign(canvas: Canvas) -> Html:
    width, height = number(canvas.width), number(canvas.height)
    return Html(
        f'<svg class="sign" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
        f"{''.join(canvas.parts)}</svg>"
    )


def _legend(items: Iterable[tuple[Html, str]]) -> Html:
    keys = joined(Html(f'<span class="key">{sign}<span>{escaped(words)}</span></span>') for sign, words in items)
    return Html(f'<div class="legend">{keys}</div>')
