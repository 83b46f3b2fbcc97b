"""`rules:` of a file: what holds for whom, and what contradicts itself and is refused, in which words."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.model.rules import BY_NAME, Asked
from harness.rule_file import UNSAID, Arms, default_rules, experiment_rules, of_document, read_rules

IDS = ("baseline", "builtin[mtls]", "envoy[mtls]")
ARMS = Arms(IDS, "baseline", lambda text: text)
OTHERS = Arms(IDS[:2], "baseline", lambda text: text, replaced=True)


def asked(text: str, arms: Arms = ARMS) -> dict[str, list[Asked]]:
    found: dict[str, list[Asked]] = {}
    for each in of_document(yaml.safe_load(text), arms):
        found.setdefault(each.rule, []).append(each)
    return found


def test_the_defaults_are_those_of_the_issue() -> None:
    found = {each.rule: each for each in default_rules(ARMS)}
    assert list(found) == [
        "validity", "p50-per-hop", "p99-ratio", "errors-equal", "sidecar-cpu", "sidecar-memory", "utilisation",
    ]  # fmt: skip
    assert found["p50-per-hop"] == Asked("p50-per-hop", None, 1000.0, IDS[1:])
    assert found["p99-ratio"].most == 2.0
    assert (found["errors-equal"].least, found["errors-equal"].most) == (-0.001, 0.001)
    assert found["utilisation"].arms == IDS


def test_a_named_budget_replaces_its_default_and_leaves_the_others() -> None:
    found = asked("{p50-per-hop: 500us, errors-equal: 0.2%, utilisation: 0.6, sidecar-cpu: 3}")
    assert found["p50-per-hop"][0].most == 500.0
    assert found["errors-equal"][0].least == -0.002
    assert found["utilisation"][0].most == 0.6
    assert found["sidecar-cpu"][0].most == 3.0
    assert found["p99-ratio"][0].most == 2.0


def test_a_rule_can_be_switched_off_and_one_that_is_off_on() -> None:
    found = asked("{sidecar-cpu: off, p99-ratio: 'off', p50-added: 2ms}")
    assert "sidecar-cpu" not in found
    assert "p99-ratio" not in found
    assert found["p50-added"] == [Asked("p50-added", None, 2000.0, IDS[1:])]


def test_budgets_of_their_own_for_arms_and_a_least_value() -> None:
    found = asked("p50-added: [{min: 10us, max: 2ms, arms: ['builtin[mtls]']}, {max: 4ms, arms: ['envoy[mtls]']}]")
    assert found["p50-added"] == [
        Asked("p50-added", 10.0, 2000.0, ("builtin[mtls]",)),
        Asked("p50-added", None, 4000.0, ("envoy[mtls]",)),
    ]
    assert asked("p99-ratio: {min: 0.5}")["p99-ratio"] == [Asked("p99-ratio", 0.5, None, IDS[1:])]
    assert asked("p99-ratio: {arms: ['envoy[mtls]']}")["p99-ratio"] == [Asked("p99-ratio", None, 2.0, IDS[2:])]
    assert asked("errors-equal: {arms: ['envoy[mtls]']}")["errors-equal"][0].least == -0.001


def test_arms_that_the_command_line_left_out_take_their_budgets_with_them() -> None:
    text = "p50-added: [{max: 2ms, arms: ['builtin[mtls]']}, {max: 4ms, arms: ['envoy[mtls]']}]"
    assert [each.arms for each in asked(text, OTHERS)["p50-added"]] == [("builtin[mtls]",)]


REFUSED = {
    "{p50: 1ms}": f"unknown rule 'p50': have {', '.join(sorted(BY_NAME))}",
    "[p50-per-hop]": "rules: ['p50-per-hop'] holds no mapping: write e.g. {p50-per-hop: 1ms}, or {} for the defaults",
    "": "rules: None holds no mapping: write e.g. {p50-per-hop: 1ms}, or {} for the defaults",
    "p50-per-hop: 0ms": "rules.p50-per-hop: '0ms' leaves nothing to spend: allowed is more than 0, e.g. 1ms",
    "p50-per-hop: -1ms": (
        "rules.p50-per-hop: '-1ms' is not a duration: write a number with a unit, e.g. 30s, 500ms, 200us, 2m"
    ),
    "p50-per-hop: 1": "rules.p50-per-hop: 1 has no unit: write e.g. 1ms",
    "p50-per-hop:": "rules.p50-per-hop: None is no budget: write e.g. 1ms, or `off`",
    "p50-per-hop: true": "rules.p50-per-hop: True is no budget: write e.g. 1ms, or `off`",
    "p50-per-hop: []": "rules.p50-per-hop: the list is empty: give a budget, or `off`",
    "p50-per-hop: [1ms, 2ms]": "rules.p50-per-hop: two budgets for 'builtin[mtls]': give each arm one",
    "p50-per-hop: [{max: 1ms, arms: ['envoy[mtls]']}, 2ms]": (
        "rules.p50-per-hop: two budgets for 'envoy[mtls]': give each arm one"
    ),
    "p50-per-hop: {min: 2ms, max: 1ms}": "rules.p50-per-hop: max 1 ms is below min 2 ms: nothing can pass",
    "p50-per-hop: {budget: 1ms}": "unknown key 'rules.p50-per-hop.budget': have max, min, arms",
    "p50-per-hop: {max: 0us}": "rules.p50-per-hop.max: '0us' leaves nothing to spend: allowed is more than 0, e.g. 1ms",
    "p50-per-hop: {max: 1ms, arms: [istio]}": f"unknown arm of a rule 'istio': have {', '.join(IDS)}",
    "p50-per-hop: {max: 1ms, arms: [baseline]}": (
        "rules.p50-per-hop.arms: 'baseline' is the reference, to which the others are compared: leave it out"
    ),
    "p50-per-hop: {max: 1ms, arms: envoy}": (
        "rules.p50-per-hop.arms: 'envoy' is no list of arms: write e.g. [\"builtin[mtls]\"]"
    ),
    "p99-ratio: 2x": "rules.p99-ratio: '2x' is no number of times: write e.g. 2",
    "p99-ratio: 0": "rules.p99-ratio: 0 leaves nothing to spend: allowed is more than 0, e.g. 2",
    "p99-ratio: .nan": "rules.p99-ratio: nan leaves nothing to spend: allowed is more than 0, e.g. 2",
    "p99-ratio: .inf": "rules.p99-ratio: inf leaves nothing to spend: allowed is more than 0, e.g. 2",
    "errors-equal: -0.1": "rules.errors-equal: -0.1 leaves nothing to spend: allowed is more than 0, e.g. 75%",
    "errors-equal: {max: 1%}": "unknown key 'rules.errors-equal.max': have margin, arms",
    "utilisation: 100%": "rules.utilisation: '100%' is the whole, which nothing can exceed: allowed is less than 100%",
    "utilisation: 75": "rules.utilisation: 75 is the whole, which nothing can exceed: allowed is less than 100%",
    "utilisation: busy": "rules.utilisation: 'busy' is not a share: write a number with a unit, e.g. 1%, 0.5%, or 0.01",
    "p50-added: {arms: ['envoy[mtls]']}": "rules.p50-added: it has no default budget: write e.g. {max: 2ms}",
    "validity: off": "rules.validity: it always holds, since a result that can't be trusted isn't judged: leave it out",
    "{p50-per-hop: off, p99-ratio: off, errors-equal: off, sidecar-cpu: off, sidecar-memory: off, utilisation: off}": (
        "rules: nothing is left to judge: switch a rule on, name an arm of this run, or leave out `rules`"
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=range(len(REFUSED)))
def test_rules_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(text)
    assert str(caught.value) == message


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves nothing to spend"):
        of_document({"p99-ratio": 10**400}, ARMS)


def test_one_arm_alone_cant_be_judged() -> None:
    with pytest.raises(
        UsageError, match=r"^rules: the only arm is the reference, 'baseline': name another one to judge$"
    ):
        default_rules(Arms(("baseline",), "baseline", lambda text: text))


def test_an_experiment_without_rules_is_judged_only_if_it_is_gated() -> None:
    assert experiment_rules(UNSAID, ARMS, "e", gate=False, faults=False) == ()
    assert experiment_rules(UNSAID, ARMS, "e", gate=True, faults=False) == default_rules(ARMS)
    assert experiment_rules({}, ARMS, "e", gate=False, faults=False) == default_rules(ARMS)
    for document, gate in (({}, False), (UNSAID, True)):
        with pytest.raises(UsageError, match=r"^e: rules judge windows without faults"):
            experiment_rules(document, ARMS, "e", gate=gate, faults=True)


def test_rules_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: mine\nrules: {p50-per-hop: 2ms}")
    assert read_rules(path, ARMS)[1].most == 2000.0
    for text, told in {"p50-per-hop: 1ms": "has no `rules`", "rules: {nope: 1}": "unknown rule 'nope'"}.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=told) as caught:
            read_rules(path, ARMS)
        assert str(path) in str(caught.value)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["1ms", "0.5%", "off", "2", "x", *IDS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["max", "min", "arms", "margin", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*BY_NAME, "nope"]), _VALUES, max_size=3))
def test_whatever_stands_there_is_understood_or_refused(document: dict[str, object]) -> None:
    """And what is understood can pass: no arm has two budgets of a rule, and no budget is empty."""
    try:
        found = of_document(document, ARMS)
    except UsageError:
        return
    pairs = [(each.rule, arm) for each in found for arm in each.arms]
    assert len(pairs) == len(set(pairs))
    for each in found:
        assert each.most is None or each.most > 0
        assert each.least is None or each.most is None or each.least <= each.most
