"""From inputs to snapshots."""

from typing import Any

import pytest

from meshes.builtin.control.compiler import snapshots
from meshes.builtin.snapshot import Endpoint, Snapshot
from meshes.identity.names import spiffe_id
from tests.meshes.builtin.control.inputs import Edit, inputs, move_b, move_c


def versions(*edits: Edit) -> dict[str, int]:
    return {name: snapshot.version for name, snapshot in snapshots(inputs(*edits)).items()}


def changed_by(*edits: Edit) -> set[str]:
    before, after = versions(), versions(*edits)
    return {name for name in before if before[name] != after[name]}


def test_equal_inputs_have_equal_versions() -> None:
    assert versions() == versions()


def test_replicas_differ_by_their_app() -> None:
    assert len(set(versions().values())) == 4


def test_versions_are_numbers_that_json_readers_keep() -> None:
    assert all(0 < version < 2**53 for version in versions().values())


def turn_off_mtls(made: dict[str, Any]) -> None:
    made["mtls"] = False


def move_app(made: dict[str, Any]) -> None:
    made["proxies"]["b-1"]["app"] = "127.0.0.9:8080"


def shorten(made: dict[str, Any]) -> None:
    made["leaf_lifetime_s"] = 60


def replace_token(made: dict[str, Any]) -> None:
    made["proxies"]["a-0"]["token"] = "another"


@pytest.mark.parametrize(
    ("edit", "affected"),
    [
        (move_c, {"a-0", "b-0", "b-1"}),
        (move_b, {"a-0"}),
        (move_app, {"b-1"}),
        (turn_off_mtls, {"a-0", "b-0", "b-1", "c-0"}),
        (shorten, set()),
        (replace_token, set()),
    ],
)
def test_only_those_whom_it_concerns_get_a_new_version(edit: Edit, affected: set[str]) -> None:
    assert changed_by(edit) == affected


def test_a_proxy_knows_its_callees_and_nobody_else() -> None:
    made = snapshots(inputs())

    assert {name: list(snapshot.outbound.routes) for name, snapshot in made.items()} == {
        "a-0": ["b", "c"],
        "b-0": ["c"],
        "b-1": ["c"],
        "c-0": [],
    }
    assert [cluster.name for cluster in made["a-0"].clusters] == ["b", "c"]
    assert made["a-0"].clusters[0].endpoints == (Endpoint("127.0.0.2", 15006), Endpoint("127.0.0.3", 15006))


def test_with_mtls_a_callee_has_to_be_who_it_is_and_without_nobody_asks() -> None:
    [with_mtls, *_] = snapshots(inputs())["a-0"].clusters
    [without, *_] = snapshots(inputs(turn_off_mtls))["a-0"].clusters

    assert (with_mtls.mtls, with_mtls.spiffe_ids) == (True, (spiffe_id("b"),))
    assert (without.mtls, without.spiffe_ids) == (False, ())


@pytest.mark.parametrize("edits", [(), (turn_off_mtls,)])
def test_every_snapshot_is_one_that_proxies_take(edits: tuple[Edit, ...]) -> None:
    for snapshot in snapshots(inputs(*edits)).values():
        assert Snapshot.from_json(snapshot.to_json()) == snapshot


def test_no_snapshot_has_a_token() -> None:
    assert not any("token-of" in snapshot.to_json() for snapshot in snapshots(inputs()).values())
