"""Replays: the manifest gives the experiment back; another machine, hoptax or damaged result is refused before anything starts."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.recorded import recorded
from harness import registry
from harness.commands import experiments
from harness.commands import replay as command
from harness.experiment import Experiment, load_experiment
from harness.manifest import Facts, design, manifest
from harness.model.errors import UsageError
from harness.model.mesh import Traffic
from harness.model.platform import Placement
from harness.records import from_json, to_json
from harness.replay import arms_of_checkouts, check_repeatable, experiment_of
from tests.test_checkouts import tree

__all__ = ["tree"]

QUICK = load_experiment("quick")
SETTLED = replace(QUICK, loads={"auto": replace(QUICK.loads["auto"], rate_rps=410.0)})
FACTS = Facts("0.1.0", "process", Placement((0,), (1,)), {"cpu_model": "x"}, "class-x", {})


def written(experiment: Experiment = SETTLED) -> dict[str, Any]:
    document = manifest(experiment, FACTS, Traffic(), experiment.loads, {"rate_rps": 410.0}, {}, {}, "2026-01-02")
    return dict(json.loads(json.dumps(document)))


@pytest.mark.parametrize("topology", sorted(registry.workload_files("topologies")))
def test_the_manifest_gives_the_experiment_back(topology: str, tmp_path: Path) -> None:
    text = "name: e\narms: [baseline, 'envoy[mtls]', 'builtin[least-request,mtls]']\ncontrasts: [['builtin[mtls,least-request]', baseline]]\n"
    (tmp_path / "e.yaml").write_text(
        text
        + f"topologies: [{topology}]\nrounds: 7\nseed: 5\nloads: {{a: {{rate: 10}}, b: {{rate: 20, arrivals: uniform}}}}\n"
    )
    asked = load_experiment(str(tmp_path / "e.yaml"))
    found = experiment_of("r", written(asked), {})
    assert (found, design(found)) == (asked, design(asked))


def test_a_pilots_rate_is_kept() -> None:
    assert experiment_of("r", written(), {}).loads["auto"].rate_rps == 410.0


def test_arms_of_other_checkouts_are_asked_for_and_found_by_digest(tree: Path, tmp_path: Path) -> None:
    asked = load_experiment("quick", arms=("baseline", f"builtin@{tree}[mtls]"))
    document = written(replace(SETTLED, arms=asked.arms, contrasts=()))
    arm_id = asked.arms[1].id
    with pytest.raises(
        UsageError, match=r"has arm 'builtin@.*\[mtls\]' of another checkout: give that tree with --checkout"
    ):
        experiment_of("r", document, {})
    copy = Path(shutil.copytree(tree, tmp_path / "moved"))
    assert experiment_of("r", document, arms_of_checkouts(document, [str(copy)])).arms[1].id == arm_id
    (copy / "meshes" / "builtin" / "more.py").write_text("# edited\n")
    third = Path(shutil.copytree(copy, tmp_path / "edited"))
    with pytest.raises(UsageError, match=r"\(those given have builtin@"):
        experiment_of("r", document, arms_of_checkouts(document, [str(third)]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m.pop("comparison"), "was made by an older hoptax and can't be replayed"),
        (lambda m: m["arms"][1].update(id="itsio[mtls]"), "unknown mesh 'itsio'"),
        (lambda m: m["arms"][1].update(id="builtin#again"), "which the self-test made"),
        (lambda m: m["topologies"][0]["document"].pop("services"), "topology chain-4 can't be read from the manifest"),
    ],
    ids=["older", "unknown mesh", "self-test", "topology"],
)
def test_a_manifest_that_gives_no_experiment_is_refused(change: Callable[[Any], object], told: str) -> None:
    document = written()
    change(document)
    with pytest.raises(UsageError, match=told):
        experiment_of("r", document, {})


def check(facts: Facts = FACTS, traffic: Traffic | None = None, *, other_machine: bool = False) -> None:
    check_repeatable("r", written(), SETTLED, facts, traffic or Traffic(), other_machine=other_machine)


def test_the_same_machine_may_and_another_only_if_told() -> None:
    check()
    for other in (replace(FACTS, machine_class="class-y"), replace(FACTS, placement=Placement((0, 1), (2,)))):
        with pytest.raises(UsageError, match=r"r was measured on another machine: (machine|placement)"):
            check(other)
        check(other, other_machine=True)


def test_other_settings_are_refused_by_name_whatever_the_machine() -> None:
    with pytest.raises(
        UsageError, match=r"can't be replayed by this hoptax: traffic\.connect_timeout_s \(1 against 2\)"
    ):
        check(traffic=Traffic(connect_timeout_s=2.0), other_machine=True)


def test_choices_are_read_and_others_refused() -> None:
    service = QUICK.topologies[0].services[0]
    document = to_json(service)
    assert from_json(type(service), document) == service
    with pytest.raises(ValueError, match="protocol: 'smoke' is none of 'http'"):
        from_json(type(service), document | {"protocol": "smoke"})


# -- the command -------------------------------------------------------------------------------------------------------

ONE = recorded(rounds=6, rate_rps=60.0, window_s=2.0, seed=1)
Run = Callable[..., tuple[int, str, str]]


def named(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """As a real result has it."""
    parts = {"loads": manifest["loads"], "machine": "generated"}
    return {**manifest, "comparison": parts}


@pytest.fixture(autouse=True)
def measured_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replays measure nothing here: the result of another seed stands in."""

    def measured(_experiment: Experiment, _out: Path, _extra: object, _check: object) -> Path:
        made = recorded(rounds=6, rate_rps=60.0, window_s=2.0, seed=2)
        return replace(made, manifest=named(ONE.manifest)).write(tmp_path / "again")

    monkeypatch.setattr(command, "measure", measured)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return replace(ONE, manifest=named(ONE.manifest)).write(tmp_path / "first")


@pytest.mark.parametrize(("margin", "code", "said"), [(60, 0, "WITHIN"), (0.01, 3, "INCONCLUSIVE")])
def test_the_exit_code_is_the_outcome(hoptax: Run, first: Path, margin: float, code: int, said: str) -> None:
    found, out, _ = hoptax("replay", first, "--margin", margin)
    assert found == code
    assert f"{said}: every claim held against ±{margin:g} % of what it was" in out
    assert "chain-4 · steady · envoy[mtls]: added response p50 (µs)" in out


def test_an_outcome_outside_ends_with_1(hoptax: Run, first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        command, "replication", lambda _document, margin: {"margin": margin, "outcome": "outside", "claims": []}
    )
    assert hoptax("replay", first)[0] == 1


def test_json_and_page_have_the_claims(hoptax: Run, first: Path, tmp_path: Path) -> None:
    code, out, _ = hoptax("replay", first, "--margin", "60", "--json", "--html", tmp_path / "r.html")
    assert code == 0
    assert len(json.loads(out)["replay"]["claims"]) == 6
    page = (tmp_path / "r.html").read_text()
    assert "Replay: within" in page
    assert "The claims of the first result, measured again" in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--margin", "0"], "--margin 0: allowed is more than 0 and at most 100"),
        (["--rounds", "3"], "--rounds 3: a replay needs 6 to 200"),
    ],
)
def test_wrong_use_is_told_before_anything_starts(hoptax: Run, first: Path, words: list[str], told: str) -> None:
    code, out, err = hoptax("replay", first, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_a_result_of_which_nothing_could_be_concluded_is_refused(hoptax: Run, tmp_path: Path) -> None:
    few = recorded(rounds=3, rate_rps=60.0, window_s=2.0)
    path = replace(few, manifest=named(few.manifest)).write(tmp_path / "few")
    assert "has 3 rounds: below 6 there is no interval" in hoptax("replay", path)[2]
    assert "is no result" in hoptax("replay", tmp_path)[2]


def test_a_machine_that_is_refused_leaves_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @contextmanager
    def staged(_arms: object, _spin_s: float, _where: object) -> Iterator[tuple[Any, Facts]]:
        yield None, FACTS

    def refuse(_bench: object, _facts: Facts) -> None:
        raise UsageError("another machine")

    monkeypatch.setattr(experiments, "stage", staged)
    with pytest.raises(UsageError, match="another machine"):
        experiments.measure(load_experiment("quick", arms=("baseline",)), tmp_path, {}, refuse)
    assert not list(tmp_path.iterdir())
