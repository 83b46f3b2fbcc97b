"""Readings of rounds → figures with intervals beside their bars, as a document and as a table. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.analysis.intervals import Interval, hodges_lehmann

DIRECT, BUILTIN, ENVOY = "direct", "builtin", "envoy"
Round = Mapping[str, Mapping[str, float]]
"""What was read of each of direct, builtin and envoy in one round of a measure."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """A figure of a measure, and what builtin's ratio to Envoy's may be (None: printed only). With `added` the direct way's is taken off
    first; `least` turns the bar round: more is better; an `absolute` bar is of builtin's figure itself."""

    measure: str
    figure: str
    what: str
    unit: str
    most: float | None
    added: bool = False
    least: bool = False
    absolute: bool = False


BARS = (
    Bar("1 connection", "p50_us", "added p50, 1 connection", "µs", 0.7, added=True),
    Bar("500/s", "p50_us", "added p50, 500/s over 16", "µs", 0.7, added=True),
    Bar("500/s", "p99_us", "added p99, 500/s over 16", "µs", 1.0, added=True),
    Bar("most", "rps", "most requests/s on one core", "1/s", 1.5, least=True),
    Bar("1,000/s", "cpu_us", "CPU per request, 1,000/s over 16", "µs", 0.7),
    Bar("64 kB", "bytes_per_s", "throughput, bodies of 64 kB", "B/s", 0.8, least=True),
    Bar("1 MB", "bytes_per_s", "throughput, bodies of 1 MB", "B/s", 0.8, least=True),
    Bar("idle", "pss_bytes", "PSS per sidecar, 8 idle", "B", 0.6),
    Bar("idle", "rss_bytes", "RSS per sidecar, 8 idle", "B", 0.4),
    Bar("256 connections", "pss_bytes", "PSS per sidecar, 256 connections", "B", 0.6),
    Bar("256 connections", "rss_bytes", "RSS per sidecar, 256 connections", "B", 0.4),
    Bar("start", "start_ms", "from start to ready (builtin at most 300 ms)", "ms", 300.0, absolute=True),
)


def figure(bar: Bar, rounds: Sequence[Round]) -> Json:
    """Each side's figure, and the ratio of both, paired by round, with its interval."""
    taken = [each[DIRECT][bar.figure] if bar.added else 0.0 for each in rounds]
    ours = [each[BUILTIN][bar.figure] - less for each, less in zip(rounds, taken, strict=True)]
    theirs = [each[ENVOY][bar.figure] - less for each, less in zip(rounds, taken, strict=True)]
    found = ratio(ours, theirs)
    return {
        "what": bar.what,
        "unit": bar.unit,
        "builtin": asdict(hodges_lehmann(ours)),
        "envoy": asdict(hodges_lehmann(theirs)),
        "ratio": asdict(found),
        "bar": bar.most,
        "at_least": bar.least,
        "absolute": bar.absolute,
        "met": met(bar, hodges_lehmann(ours) if bar.absolute else found),
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Of each round's two, through their logarithms; of the estimates where a difference isn't positive in every round."""
    if min(*ours, *theirs) > 0:
        logs = [math.log(mine / other) for mine, other in zip(ours, theirs, strict=True)]
        return hodges_lehmann(logs).mapped(math.exp, "hodges-lehmann of log ratios")
    mine, other = hodges_lehmann(ours).estimate, hodges_lehmann(theirs).estimate
    return Interval(
        mine / other, None, None, len(ours), "ratio of estimates", note="an added time isn't positive in every round"
    )


def met(bar: Bar, found: Interval) -> bool | None:
    """Whether the estimate meets its bar; None without a bar."""
    if bar.most is None:
        return None
    return found.estimate >= bar.most if bar.least else found.estimate <= bar.most


def features(rounds: Mapping[str, Sequence[Mapping[bool, Round]]]) -> list[Json]:
    """What each feature alone costs in CPU per request, on (True) against off, in both meshes."""
    found = []
    for name, each in rounds.items():
        entry: Json = {"feature": name}
        for side in (BUILTIN, ENVOY):
            more = [turn[True][side]["cpu_us"] - turn[False][side]["cpu_us"] for turn in each]
            entry[side] = asdict(hodges_lehmann(more))
        found.append(entry)
    return found


def lines(document: Json) -> list[str]:
    """The document as tables for a terminal or Markdown."""
    out = ["| | builtin | Envoy | ratio | bar | |", "|---|---|---|---|---|---|"]
    for each in document["figures"]:
        sign = "≥" if each["at_least"] else "≤"
        unit = f" {each['unit']}" if each["absolute"] else "×"
        bar = "" if each["bar"] is None else f"{sign} {each['bar']:g}{unit}"
        verdict = {True: "met", False: "**missed**", None: ""}[each["met"]]
        sides = [_told(each[side], each["unit"]) for side in (BUILTIN, ENVOY)]
        out.append(f"| {each['what']} | {sides[0]} | {sides[1]} | {_times(each['ratio'])} | {bar} | {verdict} |")
    out += ["", "| feature alone, CPU per request | builtin | Envoy |", "|---|---|---|"]
    out += [
        f"| {each['feature']} | {_told(each[BUILTIN], 'µs', '+')} | {_told(each[ENVOY], 'µs', '+')} |"
        for each in document["alone"]
    ]
    return out


def _told(interval: Json, unit: str, sign: str = "") -> str:
    scale, name = {"B": (1e6, "MB"), "B/s": (1e6, "MB/s")}.get(unit, (1.0, unit))
    return f"{interval['estimate'] / scale:{sign}.3g} {name}{_between(interval, scale)}"


def _times(interval: Json) -> str:
    return f"{interval['estimate']:.2f}×{_between(interval, 1.0)}"


def _between(interval: Json, scale: float) -> str:
    if interval["low"] is None:
        return ""
    return f" [{interval['low'] / scale:.3g}, {interval['high'] / scale:.3g}]"
