"""What a cluster runs: asked of its image, told by it, and refused where it isn't what judges here."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.program import Program
from harness.platforms import in_image, programs

PROXY = Program("builtin-proxy", module="meshes.builtin.proxy")
VENDOR = Program("envoy", image="envoyproxy/envoy:v9")
HERE = Program("tool", version_args=("-V",))
OURS = programs.describe(in_image.ENGINE)


def image(tmp_path: Path, says: str) -> tuple[str, ...]:
    """A stand-in for `kubectl exec`: notes what it is asked for, and says this."""
    script = tmp_path / "exec"
    script.write_text(f"#!/bin/sh\nprintf '%s ' \"$@\" > {tmp_path / 'asked'}\ncat <<'END'\n{says}\nEND\n")
    script.chmod(0o755)
    return (str(script),)


def engine(**changed: str) -> dict[str, str]:
    return {"version": OURS["version"], "digest": OURS["digest"]} | changed


def test_an_image_tells_of_the_modules_it_has() -> None:
    words = [sys.executable, "-m", "harness.platforms.in_image", PROXY.module, "no.such.module"]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert told == {PROXY.module: {"version": version("hoptax"), "digest": programs.describe(PROXY)["digest"]}}


def test_modules_are_asked_for_once_and_vendors_programs_not_at_all(tmp_path: Path) -> None:
    says = json.dumps({in_image.ENGINE.module: engine(), PROXY.module: {"version": "1", "digest": "d"}})
    inside = in_image.ask(image(tmp_path, says), "ours:1", [PROXY, VENDOR, PROXY])
    assert inside[PROXY.module] == {"version": "1", "digest": "d"}
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["python", "-m", "harness.platforms.in_image", in_image.ENGINE.module, PROXY.module]


def test_another_load_engine_than_ours_is_refused_with_both(tmp_path: Path) -> None:
    says = json.dumps({in_image.ENGINE.module: engine(digest="0123456789abcdef")})
    refused = pytest.raises(EnvironmentFailure, match=f"0123456789abcdef.*{OURS['digest']}.*make images")
    with refused:
        in_image.ask(image(tmp_path, says), "ours:1", [])


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("exec failed: no python", "image ours:1 doesn't tell"),
        (json.dumps({in_image.ENGINE.module: engine()}), "has no"),
    ],
)
def test_an_image_of_something_else_is_refused(tmp_path: Path, says: str, why: str) -> None:
    with pytest.raises(EnvironmentFailure, match=why):
        in_image.ask(image(tmp_path, says), "ours:1", [PROXY])


def test_an_image_that_can_not_be_asked_is_refused() -> None:
    with pytest.raises(EnvironmentFailure, match="image ours:1 doesn't tell"):
        in_image.ask(("no-such-kubectl",), "ours:1", [])


def test_each_program_is_described_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "describe", lambda program: {"name": program.name, "version": "here", "digest": "h"})
    inside = {PROXY.module: {"version": "0.9", "digest": "inside"}}
    said = in_image.described([PROXY, VENDOR, HERE], {}, inside)
    assert said == [
        {"name": "builtin-proxy", "version": "0.9", "digest": "inside"},
        {"name": "envoy", "version": "image envoyproxy/envoy:v9", "digest": ""},
        {"name": "tool", "version": "here", "digest": "h"},
    ]


def test_the_users_own_image_of_a_mesh_comes_first_and_its_digest_is_kept() -> None:
    own = f"registry/envoy@sha256:{'ab' * 32}"
    [said] = in_image.described([VENDOR], {"envoy": own}, {})
    assert said == {"name": "envoy", "version": f"image {own}", "digest": "ab" * 8}
