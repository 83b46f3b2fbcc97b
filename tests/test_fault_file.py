"""`faults:` of an experiment: what is read, where repetitions lie, and what is refused before anything starts."""

import re
from pathlib import Path

import pytest

from harness import fault_file, registry
from harness.experiment import Experiment, load_experiment
from harness.fault_file import slots
from harness.manifest import Facts, comparison_key
from harness.model.errors import UsageError
from harness.model.mesh import Traffic
from harness.model.platform import Placement

DOCS = Path(__file__).parent.parent / "docs" / "faults.md"
FILE = """
name: mine
arms: [baseline, "builtin[mtls]"]
topologies: [{topology}]
rounds: 1
loads:
  steady: {{rate: 100, window: {window}, arrivals: uniform}}
faults:
{faults}
"""
PAUSE = "{name: pause-c, kind: pause, target: c-0, at: 2s, for: 1s, times: 3, every: 10s}"


def load(folder: Path, *faults: str, window: str = "40s", topology: str = "chain-4") -> Experiment:
    path = folder / "mine.yaml"
    path.write_text(FILE.format(faults="\n".join(f"  - {each}" for each in faults), window=window, topology=topology))
    return load_experiment(str(path))


def test_a_fault_is_read_with_its_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, PAUSE, '{name: slow, kind: latency, target: "b>c", at: 7s, for: 500ms}').faults
    assert [(each.name, each.kind, each.at_s, each.for_s, each.starts_s()) for each in found] == [
        ("pause-c", "pause", 2, 1, (2, 12, 22)),
        ("slow", "latency", 7, 0.5, (7,)),
    ]
    assert found[1].params == {"delay_s": 0.025}


def test_each_repetition_has_the_time_until_the_next_for_itself(tmp_path: Path) -> None:
    found = load(
        tmp_path, PAUSE, '{name: slow, kind: latency, target: "b>c", at: 7s, for: 500ms, params: {delay: 5ms}}'
    ).faults
    planned = slots(found, 40.0)
    assert [(each.spec.name, each.number, each.start_s, each.at_s, each.end_s) for each in planned] == [
        ("pause-c", 0, 1, 2, 6),
        ("slow", 0, 6, 7, 11),
        ("pause-c", 1, 11, 12, 21),
        ("pause-c", 2, 21, 22, 40),
    ]


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        (("{name: p, kind: pause, target: c-0, at: 2s, for: 50s}",), r"fault 'p' at 2 s, 50 s long, doesn't fit its window of 40 s"),
        (("{name: p, kind: pause, target: c-0, at: 38s, for: 1500ms}",), "it ends at 40.5 s; shorten it"),
        (("{name: p, kind: pause, target: c-0, at: 500ms, for: 1s}",), "1 s before it must be inside the window"),
        (("{name: p, kind: pause, target: x-0, at: 2s, for: 1s}",), "unknown unit 'x-0': have a-0, b-0, c-0, d-0"),
        (("{name: p, kind: pause, at: 2s, for: 1s}",), "unknown unit ''"),
        (("{name: p, kind: pause, target: c-7/sidecar, at: 2s, for: 1s}",), "unknown unit 'c-7/sidecar'"),
        (('{name: p, kind: latency, target: "c>a", at: 2s, for: 1s}',), "unknown hop 'c>a': have a>b, b>c, c>d"),
        (("{name: p, kind: melt, target: c-0, at: 2s, for: 1s}",), "unknown fault 'melt': have control-down, kill, latency, pause"),
        (("{name: p, kind: control-down, target: c-0, at: 2s, for: 1s}",), "control-down has no target"),
        ((PAUSE, "{name: k, kind: kill, target: d-0, at: 4s, for: 1s}"), r"'pause-c' at 2 s overlaps fault 'k' at 4 s"),
        (("{name: p, kind: pause, target: c-0, at: 2s, for: 1s, times: 3, every: 2s}",), "overlaps fault 'p' at 4 s"),
        (("{name: p, kind: pause, target: c-0, at: 2s, for: 1s, times: 3}",), "has times 3 and no `every`"),
        ((PAUSE, PAUSE.replace("at: 2s", "at: 6s")), "two faults have one name"),
        (("{name: p, kind: pause, target: c-0, at: 2s, for: 1s, params: {delay: 1ms}}",), "unknown param 'delay': have none"),
        (("{name: p, kind: pause, target: c-0, at: 2, for: 1s}",), r"faults\.0\.at: 2 has no unit: write e\.g\. 1s"),
        (("{name: p, kind: pause, target: c-0, at: 2s, for: 0s}",), r"faults\.0\.for"),
        (("{name: p, kind: pause, target: c-0, at: 2s, for: 1s, hard: yes}",), r"unknown key 'faults\.0\.hard': have name, kind, target"),
        (("{name: p, kind: pause, target: c-0, at: 2s, for: 1s, times: 0}",), r"faults\.0\.times"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_before_anything_starts(tmp_path: Path, faults: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load(tmp_path, *faults)


def test_a_unit_that_no_arm_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        FILE.format(
            faults="  - {name: p, kind: pause, target: c-0/sidecar, at: 2s, for: 1s}", window="40s", topology="chain-4"
        )
    )
    with pytest.raises(UsageError, match=r"fault 'p': no arm \(baseline\) has 'c-0/sidecar' on topology 'chain-4'"):
        load_experiment(str(tmp_path / "mine.yaml"), arms=("baseline",))
    assert load_experiment(str(tmp_path / "mine.yaml")).faults


def test_the_shipped_experiment_repeats_each_fault_often_enough_for_intervals_in_twelve_minutes() -> None:
    shipped = load_experiment("faults")
    (load_,) = shipped.loads.values()
    assert {each.kind for each in shipped.faults} == {"pause", "kill", "latency", "control-down"}
    assert all(each.times >= 6 for each in shipped.faults)
    assert len(shipped.arms) * (load_.window_s + load_.warmup_s + load_.drain_s) < 11 * 60


def test_results_with_other_faults_are_not_compared(tmp_path: Path) -> None:
    facts = Facts("0", "process", Placement((0,), (1,)), {}, "class", {})
    with_, without = load(tmp_path, PAUSE), load(tmp_path, PAUSE.replace("for: 1s", "for: 2s"))
    keys = {comparison_key(each, facts, Traffic(), each.loads) for each in (with_, without)}
    assert len(keys) == 2


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "example.yaml").write_text(text)
    assert [each.kind for each in load_experiment(str(tmp_path / "example.yaml")).faults] == ["pause", "latency"]


def test_every_kind_and_key_is_explained() -> None:
    told = DOCS.read_text()
    assert all(f"| `{name}` |" in told for name in registry.fault_names())
    for name, field in fault_file.FaultEntry.model_fields.items():
        assert f"`{field.alias or name}`" in told
