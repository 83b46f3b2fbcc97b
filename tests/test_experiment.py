"""Experiment files: what is understood, what is refused and in which words, and what the command line replaces."""

from pathlib import Path

import pytest

from harness import registry
from harness.experiment import AUTO_RATE, Experiment, _File, load_experiment
from harness.model.errors import UsageError
from harness.model.mesh import FEATURES
from harness.model.run import Load

HEAD = "name: q\narms: [baseline]\ntopologies: [pair]\n"
LOADS = "loads: {one: {rate: 10}}\n"
SHIPPED = ", ".join(sorted(registry.workload_files("topologies")))
FULL = """
name: full
arms: [baseline, "builtin[least-request,mtls]", builtin]
reference: builtin
contrasts: [["builtin[mtls,least-request]", baseline]]
topologies: [chain-4, pair]
rounds: 12
seed: 7
loads:
  low: {rate: 100, window: 20s, warmup: 500ms, connections: 4, arrivals: uniform, timeout: 2s, drain: 1s}
  auto: {rate: auto}
"""


def loaded(folder: Path, text: str, arms: tuple[str, ...] = (), rounds: int | None = None) -> Experiment:
    path = folder / "e.yaml"
    path.write_text(text)
    return load_experiment(str(path), arms=arms, rounds=rounds)


def test_every_key_of_a_file(tmp_path: Path) -> None:
    full = loaded(tmp_path, FULL)
    both = "builtin[least-request,mtls]"
    assert (full.name, full.rounds, full.seed, full.reference) == ("full", 12, 7, "builtin")
    assert [arm.id for arm in full.arms] == ["baseline", both, "builtin"]
    assert full.contrasts == ((both, "baseline"),)
    assert [topology.name for topology in full.topologies] == ["chain-4", "pair"]
    assert full.loads["low"] == Load(100.0, 0.5, 20.0, 4, "uniform", 7, 2.0, 1.0)
    assert full.loads["auto"] == Load(AUTO_RATE, 2.0, 5.0, 16, "poisson", 7, 15.0, 5.0)
    assert full.arm(both).features == {"mtls", "least-request"}
    assert full.topology("pair").entry == "a"


def test_what_a_short_file_leaves_out(tmp_path: Path) -> None:
    short = loaded(tmp_path, HEAD + "loads: {one: {}}")
    assert (short.rounds, short.seed, short.reference, short.contrasts) == (8, 1, "baseline", ())
    assert short.loads["one"].rate_rps == AUTO_RATE


def test_the_shipped_experiment() -> None:
    quick = load_experiment("quick")
    assert [arm.id for arm in quick.arms] == ["baseline", "envoy[mtls]", "builtin[mtls]"]
    assert "quick" in registry.workload_files("experiments")


def test_arms_of_the_command_line_replace_the_files(tmp_path: Path) -> None:
    chosen = loaded(tmp_path, FULL, arms=("builtin[mtls]", "baseline"))
    assert [arm.id for arm in chosen.arms] == ["builtin[mtls]", "baseline"]
    assert (chosen.reference, chosen.contrasts) == ("builtin[mtls]", ())
    kept = loaded(tmp_path, FULL, arms=("baseline", "builtin", "builtin[mtls,least-request]"))
    assert (kept.reference, len(kept.contrasts)) == ("builtin", 1)


def test_an_arm_named_twice_is_measured_once(tmp_path: Path) -> None:
    arms = ("builtin[mtls,least-request]", "builtin[least-request,mtls]", "builtin[mtls,mtls,least-request]")
    assert len(loaded(tmp_path, HEAD + LOADS, arms=arms).arms) == 1


def test_a_topology_named_twice_is_measured_once(tmp_path: Path) -> None:
    path = registry.find_file("topologies", "pair")
    text = HEAD.replace("[pair]", f"[pair, pair, '{path}']") + LOADS
    assert [topology.name for topology in loaded(tmp_path, text).topologies] == ["pair"]


def test_two_topologies_of_one_name_would_share_their_runs_and_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: pair\nentry: a\nservices: {a: {calls: [b]}, b: {replicas: 2}}")
    text = HEAD.replace("[pair]", f"[pair, '{tmp_path / 'mine.yaml'}']") + LOADS
    with pytest.raises(
        UsageError, match=r"^two different topologies are named 'pair': rename one of them in its file$"
    ):
        loaded(tmp_path, text)


def test_rounds_of_the_command_line(tmp_path: Path) -> None:
    assert loaded(tmp_path, FULL, rounds=3).rounds == 3
    for rounds in (0, -1, 201):
        with pytest.raises(UsageError, match=f"^{rounds} rounds: allowed are 1 to 200"):
            loaded(tmp_path, FULL, rounds=rounds)


FILE = {
    "": "holds no mapping: start with `name: …` (see workloads/experiments/quick.yaml)",
    "- a": "holds no mapping: start with `name: …` (see workloads/experiments/quick.yaml)",
    "name: 2024-99-99": "is not YAML: month must be in 1..12",
    HEAD: "loads: it is missing",
    HEAD + "loads: {}": "loads: Dictionary should have at least 1 item after validation, not 0 (is {})",
    HEAD + "loads: {One: {}}": (
        "loads.One: allowed are lower-case letters, digits and '-', as in '^[a-z0-9-]{1,20}$' (is 'One')"
    ),
    HEAD + LOADS + "foo: 1": f"unknown key 'foo': have {', '.join(_File.model_fields)}",
    HEAD + LOADS + "rounds: 0": "rounds: Input should be greater than or equal to 1 (is 0)",
    HEAD + LOADS + "rounds: 201": "rounds: Input should be less than or equal to 200 (is 201)",
    HEAD + LOADS + "rounds: true": "rounds: Input should be a valid integer (is True)",
    HEAD + LOADS + "seed: -1": "seed: Input should be greater than or equal to 0 (is -1)",
    HEAD + LOADS + "contrasts: [[baseline]]": "contrasts.0.1: it is missing",
    HEAD.replace("name: q", "name: Q x") + LOADS: (
        "name: allowed are lower-case letters, digits and '-', as in '^[a-z0-9][a-z0-9-]{0,40}$' (is 'Q x')"
    ),
    HEAD.replace("[baseline]", "[]") + LOADS: (
        "arms: Tuple should have at least 1 item after validation, not 0 (is [])"
    ),
    HEAD.replace("[pair]", "[]") + LOADS: (
        "topologies: Tuple should have at least 1 item after validation, not 0 (is [])"
    ),
}

LOAD = {
    "rate: 0": "rate: Input should be greater than 0 (is 0)",
    "rate: -5": "rate: Input should be greater than 0 (is -5)",
    "rate: .nan": "rate: Input should be less than or equal to 100000 (is nan)",
    "rate: 200000": "rate: Input should be less than or equal to 100000 (is 200000)",
    "rate: true": "rate: True is no number",
    "rate: fast": "rate: Input should be a valid number, unable to parse string as a number (is 'fast')",
    "window: 5": "window: 5 has no unit: write e.g. 5s",
    "window: 0s": "window: Input should be greater than or equal to 1 (is '0s')",
    "window: 500ms": "window: Input should be greater than or equal to 1 (is '500ms')",
    "window: 1500ms": "window: 1.5 s are not whole seconds, by which services count: write e.g. 2s",
    "window: 2h": "window: Input should be less than or equal to 3600 (is '2h')",
    "window: -1s": "window: '-1s' is not a duration: write a number with a unit, e.g. 30s, 500ms, 200us, 2m",
    "warmup: 2": "warmup: 2 has no unit: write e.g. 5s",
    "connections: 0": "connections: Input should be greater than or equal to 1 (is 0)",
    "connections: 1025": "connections: Input should be less than or equal to 1024 (is 1025)",
    "arrivals: bursty": "arrivals: Input should be 'poisson' or 'uniform' (is 'bursty')",
    "timeout: 0s": "timeout: Input should be greater than 0 (is '0s')",
    "drain: 1h": "drain: Input should be less than or equal to 600 (is '1h')",
}

NAMES = {
    HEAD.replace("[baseline]", "[itsio]") + LOADS: "unknown mesh 'itsio': have baseline, builtin, envoy, istio",
    HEAD.replace("[baseline]", "['envoy[fast]']")
    + LOADS: f"unknown feature 'fast': have {', '.join(sorted(FEATURES))}",
    HEAD.replace("[pair]", "[chain-5]") + LOADS: (
        f"unknown topology 'chain-5': have {SHIPPED}, or give the path of a YAML file"
    ),
    HEAD + LOADS + "reference: envoy": "unknown reference arm 'envoy': have baseline",
    HEAD + LOADS + "contrasts: [[baseline, envoy]]": "unknown arm of a contrast 'envoy': have baseline",
    HEAD + LOADS + "contrasts: [[baseline, baseline]]": (
        "contrast of 'baseline' with itself: name two arms that differ"
    ),
    HEAD + "loads: {big: {rate: 100000, window: 1h}}": (
        "load 'big': 100000 requests/s for 3602 s are 360200000 requests, at most 20000000 fit in memory: "
        "lower the rate or the duration"
    ),
}


@pytest.mark.parametrize(("text", "message"), FILE.items(), ids=range(len(FILE)))
def test_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).removeprefix(f"experiment {tmp_path / 'e.yaml'}").lstrip(": ") == message


@pytest.mark.parametrize(("line", "message"), LOAD.items(), ids=LOAD)
def test_loads_that_are_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, HEAD + f"loads: {{one: {{{line}}}}}")
    assert str(caught.value) == f"experiment {tmp_path / 'e.yaml'}: loads.one.{message}"


def test_a_load_of_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, HEAD + "loads: {one: {rps: 5}}")
    assert str(caught.value).endswith(
        "unknown key 'loads.one.rps': have rate, warmup, window, connections, arrivals, timeout, drain, workload, workers"
    )


@pytest.mark.parametrize(("text", "message"), NAMES.items(), ids=range(len(NAMES)))
def test_names_that_nobody_knows(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value) == message


def test_an_auto_rate_is_checked_at_the_pilots_highest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at most 20000000 fit in memory"):
        loaded(tmp_path, HEAD + "loads: {one: {rate: auto, window: 60m, warmup: 60m}}")


def test_an_experiment_that_nobody_knows() -> None:
    have = ", ".join(sorted(registry.workload_files("experiments")))
    with pytest.raises(UsageError, match=rf"^unknown experiment 'slow': have {have}, or give the path of a YAML file$"):
        load_experiment("slow")
