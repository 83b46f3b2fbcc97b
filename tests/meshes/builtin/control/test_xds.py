"""The xDS machine against tables of exchanges: what the client asked or what changed, and what has to be answered."""

import pytest

from meshes.builtin.control.xds import Asked, Stream, version
from tests.meshes.builtin.control.xds_client import CDS, EDS, LDS, ONE, RDS, SDS, Client, changed


def test_each_first_request_is_answered_with_what_it_asks_for() -> None:
    client = Client()

    assert client.asks(CDS) == ["cds b"]
    assert client.asks(EDS, "b") == ["eds b"]
    assert client.asks(SDS, "trusted") == ["sds trusted"]
    assert client.asks(CDS) == []
    assert client.asks(LDS) == ["lds out"]
    assert client.asks(RDS, "routes") == ["rds routes"]


def test_an_acknowledgement_is_not_answered() -> None:
    client = Client()
    client.starts()

    assert client.sees(ONE) == []
    assert client.stream.refusals() == {}


def test_nothing_is_pushed_that_nobody_asked_for() -> None:
    client = Client()
    client.asks(CDS)

    assert client.asks(CDS) == []
    assert client.sees(changed(ONE, eds={"b": "e2"}, lds={"out": "l2"})) == []


def test_a_change_goes_out_once_and_only_its_kind() -> None:
    client = Client()
    client.starts()

    assert client.sees(changed(ONE, eds={"b": "e2"})) == ["eds b"]
    assert client.asks(EDS, "b") == []
    assert client.sees(changed(ONE, eds={"b": "e2"})) == []
    assert client.stream.in_force()


def test_while_an_answer_is_open_the_next_one_of_its_kind_waits() -> None:
    client = Client()
    client.starts()
    client.sees(changed(ONE, eds={"b": "e2"}))

    assert client.sees(changed(ONE, eds={"b": "e3"})) == []
    assert client.asks(EDS, "b") == ["eds b"]


def test_endpoints_follow_a_cluster_that_changed_at_once_though_they_did_not_change() -> None:
    """Or the cluster warms for 15 s, and its acknowledgement waits as long (go-control-plane 245)."""
    client = Client()
    client.starts()

    assert client.sees(changed(ONE, cds={"b": "b2"})) == ["cds b", "eds b"]


def test_what_is_asked_for_again_without_need_is_sent_again() -> None:
    """Envoy does so for the endpoints of a cluster that changed."""
    client = Client()
    client.starts()

    assert client.asks(EDS, "b") == ["eds b"]
    assert client.asks(EDS, "b") == []


def test_a_stale_request_is_ignored_and_its_subscription_comes_with_the_acknowledgement() -> None:
    """envoy 10363: a subscription must not get lost with a stale nonce."""
    client = Client(changed(ONE, eds={"b": "e1", "c": "e1"}))
    client.asks(EDS, "b")

    assert client.stale(EDS, "b", "c") == []
    assert client.asks(EDS, "b", "c") == ["eds b c"]


def test_a_name_that_does_not_exist_is_remembered_and_the_request_is_answered() -> None:
    """kuma 12098: a server that waits until all names exist answers never."""
    client = Client()

    assert client.asks(EDS, "b", "x") == ["eds b"]
    assert client.asks(EDS, "b", "x") == []
    assert client.sees(changed(ONE, eds={"b": "e1", "x": "e1"})) == ["eds b x"]


def test_what_is_subscribed_to_again_is_sent_though_unchanged() -> None:
    client = Client(changed(ONE, eds={"b": "e1", "c": "e1"}))
    client.asks(EDS, "b", "c")
    client.asks(EDS, "b", "c")

    assert client.asks(EDS, "b") == []
    assert client.sees(changed(ONE, eds={"b": "e1", "c": "e2"})) == []
    assert client.asks(EDS, "b", "c") == ["eds b c"]


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([()], "cds b c"),
        ([("*",)], "cds b c"),
        ([("c",)], "cds c"),
        ([("c", "*")], "cds b c"),
        ([("c",), ("c", "b")], "cds b c"),
    ],
)
def test_wildcards_old_and_new(requests: list[tuple[str, ...]], told: str) -> None:
    client = Client(changed(ONE, cds={"b": "b1", "c": "c1"}))

    for names in requests:
        answers = client.asks(CDS, *names)

    assert answers == [told]


def test_no_name_after_names_is_nothing_and_not_everything() -> None:
    client = Client()
    client.asks(CDS, "*")
    client.asks(CDS, "*")

    assert client.asks(CDS) == []
    assert client.sees(changed(ONE, cds={"b": "b2"})) == []


def test_two_streams_of_one_proxy_share_nothing() -> None:
    old, new = Client(), Client()
    old.starts()

    assert new.asks(CDS) == ["cds b"]
    assert old.sees(changed(ONE, eds={"b": "e2"})) == ["eds b"]
    assert new.asks(EDS, "b") == ["eds b"]


def test_nonces_never_repeat_and_versions_are_those_of_the_content() -> None:
    stream = Stream(ONE)
    (first,) = stream.asked(Asked(EDS, ("b",)))
    stream.asked(Asked(EDS, ("b",), first.nonce))
    (second,) = stream.asked(Asked(EDS, ("b",), first.nonce))

    assert (first.version, first.nonce != second.nonce) == (second.version, True)
    assert first.version == version({"b": "e1"})
    assert len({version({}), version({"b": "e1"}), version({"b": "e", "1": ""}), version({"be": "1"})}) == 4
