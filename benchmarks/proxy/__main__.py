"""`python -m benchmarks.proxy [--rounds N] [--seconds S] [--features F,…] [--out FOLDER]`: measures, prints the table, writes proxy.json.

Both sidecars of a pair share one CPU; load generator and server have the other. In every round each measure is taken directly, through
builtin and through Envoy, in an order that turns. Traces are not sampled: Envoy would export their spans, which nobody asked for. Needs nginx and
wrk (Debian: nginx-light, wrk) and two CPUs. Ends with 1 if a bar is missed.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.proxy import pairs, readings, table
from benchmarks.proxy.pairs import Pair
from benchmarks.proxy.table import BUILTIN, DIRECT, ENVOY, Json
from harness.model.mesh import FEATURES, REQUIRED
from harness.probes.machine import facts

ALL_ON = ("authz", "least-request", "mtls", "retries", "tracing")
ALONE = tuple(name for name in FEATURES if name != "split")
"""A split needs a second replica."""
SIDECARS = 8
Read = dict[str, dict[str, float]]
Measure = Callable[[str, tuple[int, ...], int], dict[str, float]]


def measures(seconds: float) -> dict[str, Measure]:
    """By name: URL, the sidecars in the way, and a seed → what was read."""

    def closed(path: str, connections: int) -> Measure:
        return lambda url, pids, _seed: readings.wrk(url + path, connections, seconds, pids)

    def steady(rate_rps: float, window_s: float) -> Measure:
        return lambda url, pids, seed: readings.open_loop(url, rate_rps, 16, window_s, seed, pids)

    return {
        "1 connection": closed("", 1),
        "500/s": steady(500, max(4.0, 2 * seconds)),
        "most": closed("", 64),
        "1,000/s": steady(1000, max(2.0, seconds)),
        "64 kB": closed("64k", 16),
        "1 MB": closed("1m", 4),
    }


def take(measure: Measure, direct: str, sides: Iterable[Pair], turn: int) -> Read:
    """One round of a measure."""
    read = {DIRECT: measure(direct, (), turn)}
    for each in sorted(sides, key=lambda side: side.mesh, reverse=bool(turn % 2)):
        read[each.mesh] = measure(each.url, each.pids[:2], turn)
    return read


def together(folder: Path, rounds: int, seconds: float, features: frozenset[str]) -> dict[str, list[Read]]:
    """Every measure with all features on, round by round; memory first while the sidecars are fresh."""
    found: dict[str, list[Read]] = {"idle": [], "256 connections": [], "start": []}
    with ExitStack() as stack:
        direct = stack.enter_context(pairs.server(folder))
        sides = [
            stack.enter_context(pairs.pair(mesh, features, number, folder, SIDECARS))
            for number, mesh in enumerate((BUILTIN, ENVOY), 1)
        ]
        wanted = measures(seconds)
        for turn in range(rounds):
            found["idle"].append({side.mesh: readings.memory(side.pids[2:]) for side in sides})
            for name, measure in wanted.items():
                found.setdefault(name, []).append(take(measure, direct, sides, turn))
                say(f"round {turn + 1} of {rounds}, {name}", found[name][-1])
            found["256 connections"].append(
                {side.mesh: readings.loaded_memory(side.url, 256, side.pids[:2]) for side in sides}
            )
            found["start"].append({mesh: start(mesh, features, folder) for mesh in (BUILTIN, ENVOY)})
    return found


def start(mesh: str, features: frozenset[str], folder: Path) -> dict[str, float]:
    """A sidecar of its own that is started and ended."""
    net = f"127.84.{pairs.NETS - 1}"
    words = pairs.command(mesh, "a-0", features, net, folder)
    return readings.start_ms(words, f"http://{net}.1:15000/ready")


def alone(folder: Path, rounds: int, seconds: float) -> dict[str, list[dict[bool, Read]]]:
    """Per feature and round: with it alone (beside what it needs) and without, both started side by side and measured in turn."""
    found: dict[str, list[dict[bool, Read]]] = {name: [] for name in ALONE}
    measure = measures(seconds)["1,000/s"]
    for name in ALONE:
        needed = frozenset({REQUIRED[name]} if name in REQUIRED else ())
        place = folder / name
        place.mkdir()
        (place / "identity").symlink_to(folder / "identity")
        with ExitStack() as stack:
            direct = stack.enter_context(pairs.server(place))
            sides = {
                on: [
                    stack.enter_context(pairs.pair(mesh, needed | ({name} if on else set()), 3 + 2 * on + n, place))
                    for n, mesh in enumerate((BUILTIN, ENVOY))
                ]
                for on in (False, True)
            }
            for turn in range(rounds):
                order = (False, True) if turn % 2 else (True, False)
                found[name].append({on: take(measure, direct, sides[on], turn) for on in order})
                say(f"{name}, round {turn + 1} of {rounds}", found[name][-1][True])
    return found


def say(what: str, read: Read) -> None:
    """One line of progress."""
    figures = "; ".join(
        f"{side} " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()) for side, values in read.items()
    )
    print(f"{what}: {figures}", file=sys.stderr, flush=True)


def asked() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proxy", description="The sidecars of both meshes compared."
    )
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a window is (that of 500/s is longer)")
    parser.add_argument("--features", default=",".join(ALL_ON), help="those that are on together")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--without-alone", action="store_true", help="leave out what each feature alone costs")
    told = parser.parse_args()
    if unknown := set(filter(None, told.features.split(","))) - set(FEATURES):
        parser.error(f"unknown features {', '.join(sorted(unknown))}: have {', '.join(FEATURES)}")
    return told


def main() -> int:
    """Measure, print, write; 1 if a bar is missed."""
    told = asked()
    features = frozenset(filter(None, told.features.split(",")))
    os.sched_setaffinity(0, {pairs.LOAD_CPU})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs.identities(folder)
        seen = together(folder, told.rounds, told.seconds, features)
        each = {} if told.without_alone else alone(folder, told.rounds, told.seconds)
    document: Json = {
        "kind": "proxy",
        "schema": 1,
        "features": sorted(features),
        "rounds": told.rounds,
        "machine": facts(),
        "figures": [table.figure(bar, seen[bar.measure]) for bar in table.BARS],
        "alone": table.features(each),
        "readings": seen,
    }
    told.out.mkdir(parents=True, exist_ok=True)
    (told.out / "proxy.json").write_text(json.dumps(document, indent=1) + "\n")
    print("\n".join(table.lines(document)))
    return any(figure["met"] is False for figure in document["figures"])


if __name__ == "__main__":
    sys.exit(main())
