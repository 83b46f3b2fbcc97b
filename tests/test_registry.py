"""Names on their way to meshes, arms, programs and files."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import registry
from harness.model.errors import UsageError
from harness.model.mesh import FEATURES


def install(monkeypatch: pytest.MonkeyPatch, name: str, **adapter: object) -> None:
    """A mesh of that name beside the installed ones, as a third party's package would add it."""
    fields = {"name": name, "api": 1, "capabilities": dict.fromkeys(FEATURES, "unsupported"), "programs": ()}
    mesh = SimpleNamespace(**(fields | adapter))
    real = registry._points("meshes")
    points = {"meshes": real | {name: SimpleNamespace(name=name, load=lambda: mesh)}}
    monkeypatch.setattr(registry, "_points", points.get)
    monkeypatch.setattr(registry, "mesh", registry.mesh.__wrapped__)  # what this test adds must not stay in the cache


def test_shipped_meshes() -> None:
    assert registry.mesh_names() == ("baseline", "builtin", "envoy", "istio")


@pytest.mark.parametrize(
    ("text", "arm_id"),
    [
        ("baseline", "baseline"),
        ("baseline[]", "baseline"),
        (" builtin ", "builtin"),
        ("builtin[mtls]", "builtin[mtls]"),
        ("builtin[mtls,least-request]", "builtin[least-request,mtls]"),
        ("builtin[least-request,mtls]", "builtin[least-request,mtls]"),
        ("builtin[mtls,,mtls]", "builtin[mtls]"),
    ],
)
def test_arms(text: str, arm_id: str) -> None:
    arm = registry.arm(text)
    assert arm.id == arm_id
    assert registry.arm(arm.id) == arm


@pytest.mark.parametrize(
    "text", ["", "Envoy", "envoy[mtls", "envoy(mtls)", "envoy[mtls]x", "envoy mtls", "envoy[MTLS]"]
)
def test_what_is_no_arm(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.arm(text)
    assert str(caught.value) == (f"arm {text!r} can't be read: write mesh or mesh[feature,feature], e.g. builtin[mtls]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("itsio", "unknown mesh 'itsio': have baseline, builtin, envoy, istio"),
        (
            "envoy[tls]",
            "unknown feature 'tls': have access-log, authz, circuit-breaking, least-request, mtls, outlier-ejection, retries, split, tracing",
        ),
        ("baseline[mtls]", "mesh 'baseline' has no 'mtls': it can do nothing beyond carrying traffic"),
    ],
)
def test_names_that_nobody_knows(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.arm(text)
    assert str(caught.value) == message


def test_a_third_partys_mesh_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "other", capabilities={"mtls": "always", "least-request": "unsupported"})
    assert "other" in registry.mesh_names()
    assert registry.arm("other").id == registry.arm("other[mtls]").id == "other[mtls]"


def test_a_feature_that_a_mesh_lacks_is_refused_with_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "other", capabilities={"mtls": "always", "least-request": "unsupported"})
    with pytest.raises(UsageError, match=r"^mesh 'other' has no 'least-request': it can do mtls$"):
        registry.arm("other[least-request]")


def test_a_mesh_of_another_api_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "other", api=2)
    with pytest.raises(UsageError, match=r"^mesh 'other' is written for adapter API 2, this hoptax has 1: update one"):
        registry.arm("other")


def test_the_service_program() -> None:
    assert registry.service_program().module == "workloads.service"
    with pytest.raises(UsageError, match=r"^unknown service program 'grpc': have fanout$"):
        registry.service_program("grpc")


def test_a_file_is_found_by_its_name_or_by_its_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("")
    assert registry.find_file("topologies", "pair").name == "pair.yaml"
    assert registry.find_file("topologies", str(mine)) == mine
    for name in ("nothing", str(tmp_path), "/dev/null"):
        with pytest.raises(
            UsageError, match=r"^unknown topology .*: have chain-4, .*, diamond, fanout-16, .*, or give the path"
        ):
            registry.find_file("topologies", name)


def test_a_feature_that_needs_another_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.mesh("builtin").capabilities, "authz", "optional")
    with pytest.raises(UsageError, match=r"'authz' needs 'mtls': write builtin\[authz,mtls\]"):
        registry.arm("builtin[authz]")
    assert registry.arm("builtin[mtls,authz]").id == "builtin[authz,mtls]"
