"""The chart in the hands of Helm itself: no complaint, and the objects that `hoptax mesh install --print` gives."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from meshes.builtin.install.chart import files
from meshes.builtin.install.manifests import Installation, objects

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("helm") is None, reason="helm isn't on PATH (make kind-image builds it)"),
]


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in files("1.2.3").items():
        path = tmp_path / "hoptax" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "hoptax"


def helm(*words: str, folder: Path) -> str:
    environment = {"HOME": str(folder), "PATH": str(Path(str(shutil.which("helm"))).parent)}
    done = subprocess.run(("helm", *words), capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_helm_has_no_complaint(chart: Path) -> None:
    told = helm("lint", "--strict", str(chart), folder=chart.parent)
    assert "1 chart(s) linted, 0 chart(s) failed" in told


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("strict", [True, False])
def test_helm_renders_what_we_print(chart: Path, replicas: int, strict: bool) -> None:
    values = {"image": "i:9", "revision": "blue", "replicas": replicas, "strictInjection": str(strict).lower()}
    words = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    rendered = list(yaml.safe_load_all(helm("template", "any", str(chart), *words, folder=chart.parent)))
    wanted = objects(Installation("i:9", replicas, strict, revision="blue"))
    assert sorted(filter(None, rendered), key=_named) == sorted(wanted, key=_named)


def _named(document: dict[str, dict[str, str]]) -> tuple[str, str]:
    return str(document["kind"]), document["metadata"]["name"]
