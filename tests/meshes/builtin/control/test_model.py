"""The mesh's file, read strictly."""

import json
from typing import Any

import pytest

from meshes.builtin.control.model import read
from meshes.builtin.snapshot import Endpoint, SnapshotError
from tests.meshes.builtin.control.inputs import Edit, document, inputs


def test_a_good_file_is_read_whole() -> None:
    found = inputs()

    assert (found.mtls, found.balancing, found.leaf_lifetime_s, found.connect_timeout_s) == (
        True,
        "round-robin",
        3600,
        1,
    )
    assert found.services["b"].endpoints == (Endpoint("127.0.0.2", 15006), Endpoint("127.0.0.3", 15006))
    assert found.services["a"].calls == ("b", "c")
    assert found.proxies["b-1"].app == Endpoint("127.0.0.3", 8080)
    assert (found.timeouts.request_s, found.limits.max_headers) == (15, 100)


def at(*path: str, value: object) -> Edit:
    """Put that value there."""

    def edit(made: dict[str, Any]) -> None:
        for key in path[:-1]:
            made = made[key]
        made[path[-1]] = value

    return edit


def without(*path: str) -> Edit:
    def edit(made: dict[str, Any]) -> None:
        for key in path[:-1]:
            made = made[key]
        del made[path[-1]]

    return edit


BAD: list[tuple[Edit, str]] = [
    (at("colour", value="red"), "mesh has unknown keys: colour"),
    (without("mtls"), "mesh.mtls is missing"),
    (at("mtls", value="yes"), "mesh.mtls is 'yes': it has to be true or false"),
    (at("balancing", value="luck"), "mesh.balancing is 'luck': it has to be one of round-robin, least-request"),
    (at("leaf_lifetime_s", value=1), "mesh.leaf_lifetime_s is 1: it has to be a whole number from 2 to 2592000"),
    (at("leaf_lifetime_s", value=True), "mesh.leaf_lifetime_s is True: it has to be a whole number"),
    (at("timeouts", value=[]), "mesh.timeouts is []: it has to be an object"),
    (at("timeouts", "idle_s", value=0), "mesh.timeouts.idle_s is 0: it has to be a number from 0.01 to 86400"),
    (
        at("timeouts", "connect_s", value=float("nan")),
        "mesh.timeouts.connect_s is nan: it has to be a number from 0.001",
    ),
    (at("timeouts", "more_s", value=1), "mesh.timeouts has unknown keys: more_s"),
    (at("limits", "max_headers", value=0), "mesh.limits.max_headers is 0: it has to be a whole number from 1 to 10000"),
    (at("services", value=[]), "mesh.services is []: it has to be an object of objects"),
    (at("services", "a", value=None), "mesh.services.a is None: it has to be an object"),
    (at("services", "b", "endpoints", value=["b:1"]), "mesh.services.b.endpoints is 'b:1': it has to be an IP address"),
    (
        at("services", "b", "endpoints", value=["127.0.0.1:0"]),
        "it has to be an IP address, a colon and a port from 1 to",
    ),
    (at("services", "b", "calls", value="c"), "mesh.services.b.calls is 'c': it has to be a list"),
    (at("services", "b", "calls", value=["d"]), "mesh.services.b.calls has 'd': have a, b, c"),
    (at("proxies", "a-0", "service", value="d"), "mesh.proxies.a-0.service is 'd': have a, b, c"),
    (at("proxies", "a-0", "app", value="127.0.0.1"), "mesh.proxies.a-0.app is '127.0.0.1': it has to be an IP address"),
    (at("proxies", "a-0", "token", value=""), "mesh.proxies.a-0.token is '': it has to be a text"),
    (at("proxies", "a-0", "token", value="a b"), "mesh.proxies.a-0.token is 'a b': it has to be a text"),
    (at("proxies", "a-0", "token", value="token-of-b-0"), "mesh.proxies has a token twice"),
    (without("proxies", "a-0", "token"), "mesh.proxies.a-0.token is missing"),
]


@pytest.mark.parametrize(("edit", "message"), BAD, ids=[message for _, message in BAD])
def test_what_is_wrong_is_said_and_where(edit: Edit, message: str) -> None:
    with pytest.raises(SnapshotError) as refusal:
        read(json.dumps(document(edit)))

    assert str(refusal.value).startswith(message) or message in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a": 1', f'{{"leaf_lifetime_s": {"9" * 5000}}}'], ids=lambda text: text[:8]
)
def test_what_is_no_json_is_refused_too(text: str) -> None:
    with pytest.raises(SnapshotError, match="the mesh's file is not JSON: "):
        read(text)


@pytest.mark.parametrize("text", ["[]", "null", "1"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(SnapshotError, match=r"mesh is .*: it has to be an object"):
        read(text)


def test_a_refusal_tells_no_token() -> None:
    with pytest.raises(SnapshotError) as refusal:
        inputs(at("proxies", "a-0", "token", value="token-of-b-0"))

    assert "token-of" not in str(refusal.value)
