"""`builtin@PATH`: another tree's adapter and programs beside our own, named without a path, refused when it doesn't fit."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import meshes.builtin.plan
from harness import registry
from harness.experiment import load_experiment
from harness.manifest import Facts, manifest
from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.mesh import FEATURES, Arm, Mesh, Traffic
from harness.model.platform import Placement
from harness.platforms import programs
from harness.platforms.process import ProcessPlatform
from harness.rounds import Trial
from harness.stage import stage
from harness.topology import load_topology

ROOT = Path(__file__).parent.parent
FACTS = ProcessPlatform.facts
MARK = "another tree"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of our meshes, as a checkout has them."""
    root = tmp_path / "other"
    shutil.copytree(ROOT / "meshes", root / "meshes", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def arm(root: Path, features: str = "[mtls]") -> Arm:
    return registry.arm(f"builtin@{root}{features}")


def test_it_goes_by_version_and_digest(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = arm(tree)
    version, _, digest = found.mesh.name.removeprefix("builtin@").rpartition("-")
    assert version == programs.version_of_tree(ROOT)
    assert programs.digest_of(ROOT / "meshes" / "builtin").startswith(digest)
    assert found.id == f"{found.mesh.name}[mtls]"
    monkeypatch.chdir(tree.parent)
    assert arm(Path("other")) == arm(Path("./other/")) == found
    trial = Trial(3, 0, found.id, "chain-4", "low", 1)
    assert trial.id == f"r03_chain-4_low_builtin.{version}-{digest}.mtls"


def test_a_tree_that_differs_has_another_name(tree: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tree, tmp_path / "third"))
    edit(other / "meshes" / "builtin" / "proxy" / "balancing.py", '"""', '"""Edited. ')
    assert arm(other).id != arm(tree).id
    assert load_experiment("quick", arms=("baseline", f"builtin@{tree}", f"builtin@{tree}/.")).arms[1:] == (
        arm(tree, ""),
    )


def test_the_plan_is_the_other_trees_and_ours_stays_ours(tree: Path) -> None:
    edit(tree / "meshes" / "builtin" / "plan.py", "LEAF_LIFETIME_S = 24 * 3600", "LEAF_LIFETIME_S = 77")
    chain = load_topology(registry.find_file("topologies", "chain-4"), registry.service_program())
    other, ours = (each.plan(chain, Traffic(), FACTS) for each in (arm(tree), registry.arm("builtin[mtls]")))
    for theirs, unit in zip(other.units, ours.units, strict=True):
        moved = unit.role in ("sidecar", "control")
        assert theirs.program == (replace(unit.program, root=str(tree)) if moved else unit.program)
        assert (theirs.name, theirs.role, theirs.ports) == (unit.name, unit.role, unit.ports)
    documents = [json.loads(plan.unit("control").files[1].content) for plan in (other, ours)]
    assert [document["leaf_lifetime_s"] for document in documents] == [77, 24 * 3600]
    assert other.issuer == ours.issuer
    assert sys.modules["meshes.builtin.plan"] is meshes.builtin.plan
    assert str(tree) not in sys.path
    assert not list(tree.rglob("__pycache__"))


def test_it_is_a_mesh_and_an_older_one_lacks_what_it_never_heard_of(tree: Path) -> None:
    edit(tree / "meshes" / "builtin" / "plan.py", '    "tracing": "optional",\n', "")
    found = arm(tree).mesh
    assert isinstance(found, Mesh)
    assert set(found.capabilities) == set(FEATURES)
    with pytest.raises(UsageError, match="has no 'tracing'"):
        arm(tree, "[tracing]")


def test_a_result_has_its_version_and_digest_and_no_path(tree: Path) -> None:
    edit(tree / "pyproject.toml", 'version = "', 'version = "9.')
    experiment = load_experiment("quick", arms=("baseline", f"builtin@{tree}[mtls]"))
    described = {each.id: [programs.describe(program) for program in each.mesh.programs] for each in experiment.arms}
    facts = Facts("0", "process", Placement((0,), (1,)), {}, "m", described)
    written = manifest(experiment, facts, Traffic(), experiment.loads, {}, {}, {}, "")
    other = written["arms"][1]
    assert other["version"].startswith("9.")
    assert [program["digest"] for program in other["programs"][:2]] == [
        programs.digest_of(tree / "meshes" / "builtin")
    ] * 2
    assert str(tree) not in json.dumps(written)


REFUSED = {
    "syntax": ("api = 1", "api = = 1", "doesn't fit this harness: invalid syntax"),
    "newer harness": (
        "from harness.model.program import Program",
        "from harness.model.sundial import Program",
        "doesn't fit this harness: No module named 'harness.model.sundial'",
    ),
    "another API": ("api = 1", "api = 2", "doesn't fit this harness: adapter API 2, this hoptax has 1"),
}


@pytest.mark.parametrize(("old", "new", "told"), REFUSED.values(), ids=REFUSED)
def test_a_tree_that_does_not_fit_is_refused(tree: Path, old: str, new: str, told: str) -> None:
    edit(tree / "meshes" / "builtin" / "plan.py", old, new)
    with pytest.raises(UsageError, match=told):
        arm(tree)
    assert sys.modules["meshes.builtin.plan"] is meshes.builtin.plan


def test_a_plan_that_needs_another_harness_is_refused(tree: Path) -> None:
    edit(tree / "meshes" / "builtin" / "plan.py", "traffic.request_timeout_s", "traffic.patience_s")
    chain = load_topology(registry.find_file("topologies", "chain-4"), registry.service_program())
    with pytest.raises(UsageError, match="has no attribute 'patience_s'; use a tree of about the same age"):
        arm(tree).plan(chain, Traffic(), FACTS)


@pytest.mark.parametrize("text", ["builtin@/nowhere", "builtin@.ci[mtls]", "builtin@0.1.0-3fa92c1b[mtls]"])
def test_what_is_no_checkout_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no checkout with mesh .builtin.: it has no meshes/builtin/plan\.py"):
        registry.arm(text)


def test_an_unknown_mesh_is_unknown_in_any_tree(tree: Path) -> None:
    with pytest.raises(UsageError, match="unknown mesh 'itsio'"):
        registry.arm(f"itsio@{tree}")


def test_a_program_that_its_tree_lacks_is_missing(tree: Path) -> None:
    found = arm(tree)
    shutil.rmtree(tree / "meshes" / "builtin" / "proxy")
    with pytest.raises(EnvironmentFailure, match=r"module meshes\.builtin\.proxy is missing"):
        programs.command(found.mesh.programs[0])


@pytest.mark.system
def test_the_other_trees_programs_run(tree: Path) -> None:
    for program in ("proxy", "control"):
        edit(
            tree / "meshes" / "builtin" / program / "__main__.py",
            "import sys\n",
            f"import sys\nprint({MARK!r}, __file__, file=sys.stderr)\n",
        )
    found = arm(tree)
    pair = load_topology(registry.find_file("topologies", "pair"), registry.service_program())
    with stage((found,)) as (bench, _):
        plan = found.plan(pair, bench.traffic, bench.platform.facts)
        with bench.platform.launch(plan, bench.workspace / "up") as deployment:
            for unit in deployment.units.values():
                assert (f"{MARK} {tree}" in unit.log.read_text()) == (unit.role in ("sidecar", "control"))
