"""Reasons to believe it, and what was measured where: trials, proofs, machine, placement, manifest. It computes nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.model.run import Run
from harness.report.elements import Html, details, element, html, joined, pair, paragraph, section, table
from harness.report.numbers import plain

MAX_TRIALS = 600
MAX_RENDERED = 60_000
MAX_FILES = 40
Document = Mapping[str, Any]  # Any: JSON values


def trust_section(name: str, title: str, manifest: Document, runs: Sequence[Run]) -> Html:
    """The arms' proofs and the generator's conduct."""
    proofs = list(_proofs(manifest.get("parity", {}))) or [["–", "–", "no proofs are recorded"]]
    return section(
        name,
        title,
        paragraph(
            "Before any load, each arm has to show from outside that it does what its name says. In each trial mTLS and identity are "
            "checked again. A trial counts only if its proofs hold and the generator kept its schedule: at least 99 % of the requests "
            "sent, at most 1 % of them more than 1 ms late for its own fault."
        ),
        table(["proof", "held", "what was seen"], proofs, "Proofs of each arm, once per experiment", "words"),
        table(
            ["in trials", "held", "what was seen"],
            _trial_proofs([arm["id"] for arm in manifest["arms"]], runs),
            "Proofs repeated in every trial",
            "words",
        ),
        details(f"All {len(runs)} trials and their generator", _trials(runs)),
    )


def _proofs(parity: Mapping[str, Sequence[Document]]) -> Iterator[list[object]]:
    for arm, proofs in parity.items():
        yield [arm]
        for proof in proofs:
            yield [proof["check"], _held(passed=bool(proof["passed"])), proof["seen"]]


def _held(*, passed: bool) -> Html:
    return element("span", "✓ yes" if passed else "✕ no", "yes" if passed else "no")


def _trial_proofs(arms: Sequence[str], runs: Sequence[Run]) -> Iterator[list[object]]:
    """Per arm and check: in how many trials it held, and what was seen first (or where it failed)."""
    seen: dict[str, dict[str, list[tuple[bool, str]]]] = {arm: {} for arm in arms}
    for run in runs:
        for proof in run.parity:
            seen[run.arm].setdefault(proof.check, []).append((proof.passed, proof.seen))
    for arm, checks in seen.items():
        yield [arm]
        for check, outcomes in checks.items():
            held = sum(passed for passed, _ in outcomes)
            told = next((words for passed, words in outcomes if not passed), outcomes[0][1])
            yield [check, f"{held} of {len(outcomes)}", told]


def _trials(runs: Sequence[Run]) -> Html:
    shown = sorted(runs, key=lambda run: run.validity.valid)[:MAX_TRIALS]
    rows = [_trial(run) for run in sorted(shown, key=lambda run: (run.round, run.topology, run.load_name, run.order))]
    cut = f"; {len(runs) - len(shown)} valid ones are left out, all are in runs/" if len(shown) < len(runs) else ""
    head = [
        "trial",
        "counts",
        "due",
        "sent",
        "answered",
        "censored",
        "errors",
        "late >1 ms",
        "lateness p50, p99 (µs)",
        "run delay (ms)",
    ]
    return table(head, rows, f"Trials by round and order{cut}")


def _trial(run: Run) -> list[object]:
    made = run.generator
    reasons = "; ".join(run.validity.reasons)
    counts = _held(passed=True) if run.validity.valid else joined([_held(passed=False), f" {reasons}"])
    late = ", ".join(plain(made.lateness_us[key]) for key in ("p50", "p99") if key in made.lateness_us)
    numbers = (made.due, made.sent, made.done, made.censored, made.errors, made.late_over_1ms)
    return [run.id, counts, *(f"{number:,}" for number in numbers), late or "–", plain(made.run_delay_ns / 1e6)]


def machine_section(name: str, title: str, manifest: Document) -> Html:
    """Machine, placement, and what the load was."""
    placement = manifest["placement"]
    cpus = [
        ["CPUs of the system under test", _numbers(placement["system"])],
        ["CPUs of the load generator", _numbers(placement["load"])],
        ["apart", "yes" if placement["apart"] else "no: the generator takes CPU from what it measures"],
        ["platform", manifest.get("platform", "–")],
    ]
    return section(
        name,
        title,
        pair(
            table(["fact", "value"], _flat({**manifest["machine"], **manifest.get("facts", {})}), "Machine", "words"),
            table(["placement", "value"], cpus, "Who ran where", "words"),
        ),
    )


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values)) or "none"


def _flat(document: Any, before: str = "") -> Iterator[list[object]]:
    """A JSON object as lines of path and value; a list of objects is numbered from 0."""
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield from _flat({f"{key}.{index}": item for index, item in enumerate(value)}, before)
        elif isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield [f"{before}{key}", _value(value)]


def _value(value: Any) -> str:  # Any: JSON values
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def manifest_section(name: str, title: str, manifest: Document) -> Html:
    """What exactly was measured: versions, digests, settings, rendered configuration."""
    return section(
        name,
        title,
        paragraph(
            "Results may be compared when their comparison keys are equal: same load, topology, settings, placement and class of machine."
        ),
        pair(
            table(["input", "value"], _inputs(manifest), "Inputs", "words"),
            table(["arm, program", "version", "digest"], _programs(manifest), "Arms and what they ran", "words"),
        ),
        _folded("Loads", manifest["loads"]),
        _folded("Settings that are equal in every arm", manifest.get("traffic", {})),
        _folded("Pilot that found the rate", manifest.get("pilot", {})),
        joined(_rendered(manifest.get("rendered", {}))),
    )


def _inputs(manifest: Document) -> list[list[object]]:
    return [
        ["experiment", manifest["experiment"]],
        ["started (UTC)", manifest.get("started_utc", "–")],
        ["instrument", " ".join(str(part) for part in manifest.get("instrument", {}).values()) or "–"],
        ["comparison key", element("code", manifest["comparison_key"])],
        ["rounds", str(manifest["rounds"])],
        ["seed", str(manifest.get("seed", "–"))],
        *(["topology " + each["name"], element("code", each["digest"])] for each in manifest["topologies"]),
    ]


def _programs(manifest: Document) -> Iterator[list[object]]:
    for arm in manifest["arms"]:
        described = f"mesh {arm['name']} {arm.get('version') or ''}".strip()
        features = ", ".join(f"{name} {state}" for name, state in arm.get("features", {}).items())
        yield [
            joined(
                [
                    arm["id"],
                    " ",
                    element("span", f"{described}: {features or 'no features'}", "muted"),
                ]
            )
        ]
        for program in arm.get("programs", ()):
            yield [
                program.get("name", "–"),
                program.get("version") or "–",
                element("code", program.get("digest") or "–"),
            ]


def _folded(title: str, document: Document) -> Html:
    return details(title, table(["setting", "value"], _flat(document), title, "words")) if document else Html("")


def _rendered(rendered: Mapping[str, Sequence[Document]]) -> Iterator[Html]:
    """Each file that was rendered for an arm; very long ones are cut, and said to be."""
    for arm, files in rendered.items():
        shown = [_file(file) for file in files[:MAX_FILES]]
        if len(files) > MAX_FILES:
            shown.append(paragraph(f"{len(files) - MAX_FILES} more files are in manifest.json."))
        if shown:
            yield details(
                f"Rendered configuration of {arm} ({len(files)} file{'' if len(files) == 1 else 's'})", *shown
            )


def _file(file: Document) -> Html:
    content = str(file.get("content", ""))
    heading = " ".join(f"{key} {value}" for key, value in file.items() if key != "content")
    cut = (
        f"\n… cut: {len(content) - MAX_RENDERED:,} more characters are in manifest.json"
        if len(content) > MAX_RENDERED
        else ""
    )
    return joined([element("h3", heading), Html(f"<pre>{html(content[:MAX_RENDERED] + cut)}</pre>")])
