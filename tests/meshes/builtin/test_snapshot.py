"""A snapshot survives JSON, and whatever it must not say is refused with the place and what is allowed."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meshes.builtin.policies import Breaker, Ejection, Retry
from meshes.builtin.policies_balancing import Hash, Selection, SuccessRate
from meshes.builtin.snapshot import Cluster, Endpoint, Inbound, Outbound, Snapshot, SnapshotError, Timeouts

SNAPSHOT = Snapshot(
    version=3,
    spiffe_id="spiffe://hoptax/a",
    trust_domain="hoptax",
    inbound=Inbound(Endpoint("127.0.0.1", 8080)),
    outbound=Outbound({"b": "b", "c.example": "c"}),
    clusters=(
        Cluster("b", (Endpoint("127.0.0.2", 15006), Endpoint("::1", 15006)), ("spiffe://hoptax/b",)),
        Cluster("c", (), (), "least-request", mtls=False, connect_timeout_s=0.5),
    ),
)

Document = dict[str, Any]  # Any: JSON values


def test_there_and_back() -> None:
    assert Snapshot.from_json(SNAPSHOT.to_json()) == SNAPSHOT
    assert "\n" not in SNAPSHOT.to_json()


def test_host_names_have_no_case() -> None:
    document = SNAPSHOT.document()
    document["outbound"]["routes"] = {"B": "b"}
    assert Snapshot.from_document(document).outbound.routes == {"b": "b"}


WRONG: dict[str, tuple[Callable[[Document], object], str]] = {
    "unknown key": (lambda d: d.update(extra=1), "snapshot has unknown keys: extra"),
    "unknown inner key": (lambda d: d["limits"].update(extra=1), "snapshot.limits has unknown keys: extra"),
    "missing key": (lambda d: d.pop("version"), "snapshot.version is missing"),
    "version 0": (lambda d: d.update(version=0), "snapshot.version is 0"),
    "version true": (lambda d: d.update(version=True), "snapshot.version is True"),
    "port": (lambda d: d["inbound"].update(port=65536), "snapshot.inbound.port is 65536"),
    "name as endpoint": (lambda d: d["inbound"].update(app="localhost:1"), "snapshot.inbound.app is 'localhost:1'"),
    "endpoint without port": (
        lambda d: d["clusters"][0].update(endpoints=["127.0.0.1"]),
        "snapshot.clusters[0].endpoints",
    ),
    "negative timeout": (lambda d: d["timeouts"].update(request_s=-1), "snapshot.timeouts.request_s is -1"),
    "not a number": (lambda d: d["timeouts"].update(idle_s=float("nan")), "snapshot.timeouts.idle_s is nan"),
    "balancing": (lambda d: d["clusters"][0].update(balancing="luck"), "one of round-robin, least-request"),
    "dangling route": (lambda d: d["outbound"]["routes"].update(x="nowhere"), "have clusters b, c"),
    "cluster twice": (lambda d: d["clusters"].append(d["clusters"][0]), "has a name twice"),
    "mtls without identity": (lambda d: d["clusters"][0].update(spiffe_ids=[]), "no spiffe_ids"),
    "foreign identity": (lambda d: d.update(spiffe_id="spiffe://other/a"), "has to begin with 'spiffe://hoptax/'"),
    "port twice": (lambda d: d.update(admin_port=15006), "a port twice"),
    "line end in a name": (lambda d: d["clusters"][1].update(name="c\r\nx"), "printable ASCII"),
    "list for an object": (lambda d: d.update(limits=[]), "it has to be an object"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_a_snapshot_must_not_say(change: Callable[[Document], object], message: str) -> None:
    document = json.loads(SNAPSHOT.to_json())
    change(document)
    with pytest.raises(SnapshotError) as refused:
        Snapshot.from_document(document)
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\udcff", "[" * 100_000])
def test_text_that_is_no_snapshot(text: str) -> None:
    with pytest.raises(SnapshotError):
        Snapshot.from_json(text.encode("utf-8", "surrogateescape"))


RETRIED = Retry(2, 1.0, 0.2, 3, 0.025, 0.25)


def with_policies(**given: Any) -> Snapshot:  # Any: settings of Cluster
    """The snapshot where the first cluster has these settings."""
    return replace(SNAPSHOT, clusters=(replace(SNAPSHOT.clusters[0], **given), SNAPSHOT.clusters[1]))


OPTIONAL: dict[str, Snapshot] = {
    "retry": with_policies(retry=RETRIED),
    "conditions": with_policies(retry=replace(RETRIED, on=("reset", "retriable-status-codes"), statuses=(409, 425))),
    "no conditions": with_policies(retry=replace(RETRIED, on=())),
    "bounds": with_policies(breaker=Breaker(1, 0, 5, 0)),
    "header": with_policies(balancing="maglev", selection=Selection(Hash("header", "x-user", 101))),
    "source": with_policies(balancing="maglev", selection=Selection(Hash("source"))),
    "ewma": with_policies(balancing="peak-ewma", selection=Selection(ewma_decay_s=1.0)),
    "ejection": with_policies(ejection=Ejection(5, 30.0, 0.5, 3, 2, SuccessRate(10.0, 1.9, 5, 100), 60.0, 10.0)),
    "random": with_policies(balancing="random"),
    "age": replace(SNAPSHOT, timeouts=Timeouts(age_s=60.0)),
}


@pytest.mark.parametrize("snapshot", OPTIONAL.values(), ids=OPTIONAL)
def test_what_is_optional_comes_there_and_back(snapshot: Snapshot) -> None:
    assert Snapshot.from_json(snapshot.to_json()) == snapshot
    assert Snapshot.from_document(snapshot.document()) == snapshot


def test_what_is_optional_and_absent_is_not_written() -> None:
    """Or every snapshot's digest would be another."""
    plain = with_policies(retry=RETRIED, breaker=Breaker(1, 0), ejection=Ejection(5, 30.0, 0.5)).document()
    assert set(plain["clusters"][0]["ejection"]) == {"consecutive", "base_s", "most_share"}
    assert set(plain["clusters"][0]["retry"]) == {
        "attempts", "per_try_timeout_s", "budget_share", "budget_least", "backoff_base_s", "backoff_most_s",
    }  # fmt: skip
    assert set(plain["clusters"][0]["breaker"]) == {"max_connections", "max_pending"}
    assert set(plain["timeouts"]) == {"request_s", "idle_s"}


WRONG_POLICIES: dict[str, tuple[str, Document, str]] = {
    "word": ("conditions", {"on": ["4xx"]}, "clusters[0].retry.on is '4xx': it has to be a list of connect-failure, "),
    "no list": ("conditions", {"on": "reset"}, "clusters[0].retry.on is 'reset': it has to be a list"),
    "status": ("conditions", {"statuses": [99]}, "retry.statuses is 99: it has to be a list of whole numbers from 200"),
    "statuses alone": ("retry", {"statuses": [503]}, "retry.statuses is (503,): it has to be there with"),
    "word without statuses": ("retry", {"on": ["retriable-status-codes"]}, "retry.statuses is None: it has to be"),
    "requests": ("bounds", {"max_requests": 0}, "breaker.max_requests is 0: it has to be a whole number from 1"),
    "hash without a name": (
        "header",
        {"hash": {"on": "cookie"}},
        "selection.hash.name is None: it has to be there for",
    ),
    "name of the source": ("header", {"hash": {"on": "source", "name": "x"}}, "hash.name is 'x': it has to be there"),
    "name": ("header", {"hash": {"on": "header", "name": "x:y"}}, "hash.name is 'x:y': it has to be of letters"),
    "no prime": ("header", {"hash": {"on": "source", "table_size": 1001}}, "table_size is 1001: it has to be a prime"),
    "no hash": ("header", {"hash": None}, "selection.hash is None: it has to be an object"),
    "decay": ("ewma", {"ewma_decay_s": 0}, "selection.ewma_decay_s is 0: it has to be a number from 0.001"),
    "hash for nothing": ("ewma", {"hash": {"on": "source"}}, "cluster 'b' is balanced by peak-ewma: maglev needs"),
    "decay for nothing": ("header", {"ewma_decay_s": 1}, "is balanced by maglev: selection.ewma_decay_s is for"),
    "rate": ("ejection", {"success_rate": {}}, "clusters[0].ejection.success_rate.interval_s is missing"),
    "gateway": ("ejection", {"gateway": 0}, "ejection.gateway is 0: it has to be a whole number from 1"),
    "retries": ("bounds", {"max_retries": -1}, "breaker.max_retries is -1: it has to be a whole number from 0"),
}


@pytest.mark.parametrize(("name", "change", "message"), WRONG_POLICIES.values(), ids=WRONG_POLICIES)
def test_what_a_policy_must_not_say(name: str, change: Document, message: str) -> None:
    document = OPTIONAL[name].document()
    for policy in ("retry", "breaker", "selection", "ejection"):
        if policy in document["clusters"][0]:
            document["clusters"][0][policy].update(change)
    with pytest.raises(SnapshotError) as refused:
        Snapshot.from_document(document)
    assert message in str(refused.value)
