"""Asking services: every replica is asked, what it says is typed, and silence is a failure of the environment."""

from typing import Any, cast

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Plan
from harness.model.platform import Deployment
from harness.probes import observe
from tests.probes.fake import FakeDeployment, app, observed

NOTHING = {"requests": 0, "connections_accepted": 0, "last_version": "", "last_headers": []}


def served(requests: int, **more: Any) -> dict[str, Any]:
    return {"/served": {**NOTHING, "requests": requests, **more}}


def test_requests_add_up_over_the_replicas_of_a_service() -> None:
    with observed({"a-0": served(5), "b-0": served(2), "b-1": served(3)}) as (deployment, _):
        assert observe.requests_by_service(deployment) == {"a": 5, "b": 5}


def test_the_last_request_is_told_with_lowercase_header_names() -> None:
    last = {"last_version": "1.1", "last_headers": [["Host", "b"], ["x-forwarded-client-cert", "URI=u"]]}
    with observed({"a-0": served(1, connections_accepted=4, **last), "b-0": served(0)}) as (deployment, _):
        told = observe.served(deployment)

    assert (told["a-0"].protocol, told["a-0"].connections, told["a-0"].headers["host"]) == ("HTTP/1.1", 4, "b")
    assert told["b-0"].protocol == ""


def test_a_reset_reaches_every_replica() -> None:
    with observed({"a-0": {"/reset": {}}, "b-0": {"/reset": {}}}) as (deployment, heard):
        observe.reset(deployment)

    assert sorted(heard) == ["a-0 POST /reset", "b-0 POST /reset"]


def test_an_app_without_an_observe_port_is_left_out() -> None:
    with observed({"a-0": served(1)}, app("b-0", ports=(8080,))) as (deployment, _):
        assert list(observe.served(deployment)) == ["a-0"]


def test_an_answer_that_is_no_200_names_the_unit() -> None:
    with observed({"a-0": {}}) as (deployment, _), pytest.raises(EnvironmentFailure, match=r"'a-0' answered 404"):
        observe.served(deployment)


def test_a_replica_that_is_gone_names_the_unit() -> None:
    gone = cast("Deployment", FakeDeployment(Plan((app("a-0"),), entry_host="a-0"), {"a-0": "127.86.7.99"}))

    with pytest.raises(EnvironmentFailure, match=r"'a-0' can't tell.*ConnectionRefused"):
        observe.served(gone)
    with pytest.raises(EnvironmentFailure, match=r"no answer from 127\.86\.7\.99:8081"):
        observe.enter(gone)
