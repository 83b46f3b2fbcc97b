"""Which arms an ablation stands for: the base, each feature alone, all together; what it refuses; what it takes."""

from pathlib import Path

import pytest

from harness import registry
from harness.ablation import Step, expand, wanted, within
from harness.experiment import Experiment, load_experiment
from harness.model.errors import UsageError
from harness.model.mesh import FEATURES
from harness.runner import planned, planned_s

MESHES = ("envoy", "builtin")
FILE = """
name: mine
arms: [baseline]
ablation: {ablation}
contrasts: [["builtin[mtls,retries]", "envoy[mtls]"]]
topologies: [pair]
loads: {{one: {{rate: 10}}}}
"""
SIX = 6
MOST_S = 20 * 60


@pytest.fixture(autouse=True)
def _able(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meshes that can do everything: which features they have is not what is tested here."""
    for name in MESHES:
        for feature in FEATURES:
            monkeypatch.setitem(registry.mesh(name).capabilities, feature, "optional")


def loaded(folder: Path, ablation: str, arms: tuple[str, ...] = ()) -> Experiment:
    (folder / "e.yaml").write_text(FILE.format(ablation=ablation))
    return load_experiment(str(folder / "e.yaml"), arms=arms)


def test_base_each_alone_and_all_together_for_every_mesh(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{of: [envoy, builtin], base: [mtls], features: [retries, access-log]}")

    assert [arm.id for arm in found.arms] == [
        "baseline",
        *(
            f"{mesh}[{features}]"
            for mesh in MESHES
            for features in ("mtls", "mtls,retries", "access-log,mtls", "access-log,mtls,retries")
        ),
    ]
    envoy, builtin = found.ablation
    assert (envoy.base, envoy.together) == ("envoy[mtls]", "envoy[access-log,mtls,retries]")
    assert builtin.steps == (
        Step("retries", "builtin[mtls,retries]", "builtin[mtls]"),
        Step("access-log", "builtin[access-log,mtls]", "builtin[mtls]"),
    )
    assert found.contrasts == (("builtin[mtls,retries]", "envoy[mtls]"),)


def test_a_feature_that_needs_another_is_compared_with_the_arm_that_has_the_other(tmp_path: Path) -> None:
    (found,) = expand(wanted({"of": ["builtin"], "features": ["retries", "authz"]}), registry.arm)[1]

    assert found.base == "builtin"
    assert found.steps == (
        Step("retries", "builtin[retries]", "builtin"),
        Step("mtls", "builtin[mtls]", "builtin"),
        Step("authz", "builtin[authz,mtls]", "builtin[mtls]"),
    )
    assert found.together == "builtin[authz,mtls,retries]"


def test_what_is_needed_is_switched_on_once_whatever_the_order() -> None:
    (found,) = expand(wanted({"of": ["builtin"], "features": ["authz", "mtls"]}), registry.arm)[1]

    assert [step.feature for step in found.steps] == ["mtls", "authz"]


def test_with_the_other_in_the_base_nothing_is_added() -> None:
    arms, (found,) = expand(wanted({"of": ["builtin"], "base": ["mtls"], "features": ["authz"]}), registry.arm)

    assert found.steps == (Step("authz", "builtin[authz,mtls]", "builtin[mtls]"),)
    assert [arm.id for arm in arms] == ["builtin[mtls]", "builtin[authz,mtls]"]


def test_an_arm_keeps_the_features_it_is_named_with() -> None:
    asked = wanted({"of": ["builtin[least-request]"], "base": ["mtls"], "features": ["tracing"]})

    assert expand(asked, registry.arm)[1][0].base == "builtin[least-request,mtls]"


@pytest.mark.parametrize(
    ("ablation", "told"),
    [
        ("[builtin]", "write {of: [meshes], base: [features], features: [features]}"),
        ("{of: [builtin], feature: [retries]}", "unknown key 'feature': have base, features, of"),
        ("{of: [builtin]}", "'features' is empty: name at least one"),
        ("{of: [], features: [retries]}", "'of' is empty"),
        ("{of: builtin, features: [retries]}", "'of' has to be a list of names, e.g. [mtls]"),
        ("{of: [builtin], features: [fast]}", "unknown feature 'fast': have access-log"),
        ("{of: [builtin], base: [1], features: [retries]}", "'base' has to be a list of names"),
        ("{of: [itsio], features: [retries]}", "unknown mesh 'itsio': have baseline, builtin, envoy, istio"),
        ("{of: [builtin], base: [authz], features: [retries]}", "feature 'authz' needs 'mtls'"),
        ("{of: [builtin], base: [mtls], features: [mtls]}", "builtin[mtls] has 'mtls' already"),
        ("{of: [baseline], features: [mtls]}", "mesh 'baseline' has no 'mtls'"),
    ],
)
def test_what_is_refused_before_anything_starts(tmp_path: Path, ablation: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        loaded(tmp_path, ablation)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_feature_that_a_mesh_always_has_cannot_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.mesh("builtin").capabilities, "tracing", "always")
    with pytest.raises(UsageError, match="has 'tracing' already, so its cost can't be told apart"):
        expand(wanted({"of": ["builtin"], "base": ["mtls"], "features": ["tracing"]}), registry.arm)


def test_more_arms_than_an_experiment_may_have_are_refused(tmp_path: Path) -> None:
    every = ", ".join(sorted(FEATURES.keys() - {"mtls", "least-request", "split"}))
    asked = f"{{of: [envoy, builtin, 'builtin[least-request]', 'envoy[split]'], base: [mtls], features: [{every}]}}"
    with pytest.raises(UsageError, match="33 arms, allowed are 32: take features out"):
        loaded(tmp_path, asked)


def test_arms_of_the_command_line_leave_what_they_can_show(tmp_path: Path) -> None:
    asked = "{of: [envoy, builtin], base: [mtls], features: [retries, access-log]}"
    kept = loaded(tmp_path, asked, arms=("builtin[mtls]", "builtin[mtls,retries]"))

    (left,) = kept.ablation
    assert [step.feature for step in left.steps] == ["retries"]
    assert left.together == ""
    assert loaded(tmp_path, asked, arms=("baseline",)).ablation == ()


def test_within_keeps_everything_that_is_measured(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{of: [builtin, envoy], base: [mtls], features: [retries]}")

    assert within(found.ablation, [arm.id for arm in found.arms]) == found.ablation


def test_the_shipped_ablation_has_six_features_of_two_meshes_and_takes_under_twenty_minutes() -> None:
    found = load_experiment("ablation")

    assert [len(each.steps) for each in found.ablation] == [SIX, SIX]
    assert len(found.arms) == 1 + 2 * (1 + SIX + 1)
    assert found.rounds >= 6
    assert len(planned(found)) == found.rounds * len(found.arms)
    assert sum(planned_s(found)) < MOST_S
