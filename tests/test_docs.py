"""The examples of the documentation and of module docstrings are files that hoptax reads, and every key is explained."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from harness import experiment, registry, rule_file, topology
from harness.experiment import load_experiment
from harness.model.mesh import FEATURES
from harness.model.policy import LOGGED, Policies
from harness.model.rules import REGISTRY
from harness.rule_file import Arms, of_document
from harness.topology import load_topology

CODE = Path(rule_file.__file__)
ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
TOPOLOGIES = [ROOT / "docs" / "topologies.md", Path(topology.__file__)]
EXPERIMENTS = [ROOT / "docs" / "experiments.md", Path(experiment.__file__)]


def example(path: Path, folder: Path) -> Path:
    (text,) = BLOCK.findall(path.read_text())
    target = folder / "example.yaml"
    target.write_text(text)
    return target


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.name)
def test_examples_of_topologies_are_read(tmp_path: Path, path: Path) -> None:
    shop = load_topology(example(path, tmp_path), registry.service_program())
    assert (shop.name, len(shop.services), len(shop.hops())) == ("shop", 4, 3)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.name)
def test_examples_of_experiments_are_read(tmp_path: Path, path: Path) -> None:
    found = load_experiment(str(example(path, tmp_path)))
    assert (len(found.arms), found.reference, len(found.contrasts), list(found.loads)) == (3, "baseline", 1, ["auto"])


def test_every_key_is_explained() -> None:
    told = (ROOT / "docs" / "topologies.md").read_text()
    for model, prefix in (
        (topology._File, ""),
        (topology._Service, "services.NAME."),
        (topology._Work, "services.NAME.work."),
    ):
        for key in model.model_fields.keys() - {"work"}:
            assert f"`{prefix}{key}`" in told
    assert all(f"`{key}`" in told for key in topology._Call.model_fields.keys() - {"service"})
    told = (ROOT / "docs" / "experiments.md").read_text()
    assert all(f"`{key}`" in told for key in experiment._File.model_fields)
    assert all(f"`loads.NAME.{key}`" in told for key in experiment._Load.model_fields)


def test_shipped_topologies_are_listed() -> None:
    told = (ROOT / "docs" / "topologies.md").read_text()
    assert all(f"| `{name}` |" in told for name in registry.workload_files("topologies"))


def test_every_feature_and_every_setting_of_one_is_explained() -> None:
    told = (ROOT / "docs" / "features.md").read_text()
    policies = Policies()
    settings = {each.name for field in fields(policies) for each in fields(getattr(policies, field.name))}
    assert all(f"| `{feature}` |" in told for feature in FEATURES)
    assert [setting for setting in settings if f"`{setting}`" not in told] == []
    assert all(f'"{field}":' in told for field in LOGGED)


def test_every_rule_is_explained_and_the_example_of_rules_is_read() -> None:
    told = (ROOT / "docs" / "rules.md").read_text()
    assert all(f"| `{rule.name}` | {rule.asks} |" in told for rule in REGISTRY if not rule.of_reference)
    arms = Arms(("baseline", "builtin[mtls]", "envoy[mtls]"), "baseline", lambda text: text)
    (from_docs,), (from_code,) = (BLOCK.findall(path.read_text()) for path in (ROOT / "docs" / "rules.md", CODE))
    for text in (from_docs, from_code):
        assert len(of_document(yaml.safe_load(text)["rules"], arms)) >= len(REGISTRY) - 2
