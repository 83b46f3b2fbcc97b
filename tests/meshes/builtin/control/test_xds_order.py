"""The order in which the xDS machine sends: make before break, and what waits after a refusal."""

from tests.meshes.builtin.control.xds_client import CDS, EDS, LDS, ONE, RDS, Client, changed


def test_a_refusal_is_told_and_the_same_is_not_sent_again() -> None:
    client = Client()
    client.starts()
    client.sees(changed(ONE, cds={"b": "bad"}))
    client.asks(EDS, "b")

    assert client.refuses(CDS, error="bad cluster") == []
    assert client.stream.refusals() == {CDS: "bad cluster"}
    assert not client.stream.in_force()
    assert client.sees(changed(ONE, cds={"b": "bad"})) == []


def test_after_refused_clusters_listeners_and_routes_wait_but_endpoints_and_secrets_go_on() -> None:
    client = Client()
    client.starts()
    client.sees(changed(ONE, cds={"b": "bad"}))
    client.asks(EDS, "b")
    client.refuses(CDS)

    world = changed(ONE, cds={"b": "bad"}, eds={"b": "e2"}, lds={"out": "l2"}, rds={"routes": "r2"}, sds={"own": "s2"})
    assert client.sees(world) == ["sds own", "eds b"]
    client.asks(EDS, "b")
    assert client.sees({**world, CDS: {"b": "good"}}) == ["cds b", "eds b"]
    assert client.asks(CDS) == ["lds out"]
    assert client.asks(LDS) == ["rds routes"]
    assert client.asks(RDS, "routes") == []


def test_a_refused_cluster_that_is_taken_away_does_not_come_back() -> None:
    client = Client()
    client.starts()
    client.sees(changed(ONE, cds={"b": "b1", "bad": "x"}))
    client.refuses(CDS)

    assert client.sees(changed(ONE, rds={"routes": "r2"})) == ["cds b"]


def test_make_before_break() -> None:
    client = Client()
    client.starts()

    assert client.sees(changed(ONE, cds={"c": "c1"}, eds={"c": "e1"}, rds={"routes": "to c"})) == ["cds b c"]
    assert client.asks(EDS, "b", "c") == ["eds c"]
    assert client.asks(EDS, "b", "c") == []
    assert client.asks(CDS) == ["rds routes"]
    assert client.asks(RDS, "routes") == ["cds c"]
    assert client.asks(CDS) == []
    assert client.asks(EDS, "c") == []
    assert client.stream.in_force()


def test_a_cluster_stays_while_the_routes_without_it_are_refused() -> None:
    client = Client()
    client.starts()
    client.sees(changed(ONE, cds={"c": "c1"}, eds={"c": "e1"}, rds={"routes": "bad"}))
    client.asks(CDS)

    assert client.refuses(RDS, "routes") == []
    assert client.sees(changed(ONE, cds={"c": "c1"}, eds={"c": "e1"}, rds={"routes": "good"})) == ["rds routes"]
    assert client.asks(RDS, "routes") == ["cds c"]


def test_the_first_routes_of_a_listener_do_not_wait_for_its_acknowledgement() -> None:
    client = Client()
    client.asks(CDS)
    client.asks(CDS)
    client.asks(LDS)

    assert client.asks(RDS, "routes") == ["rds routes"]


def test_when_all_is_asked_for_at_once_as_after_a_reconnect_clusters_come_first() -> None:
    client = Client()

    assert client.asks(CDS) == ["cds b"]
    assert client.asks(LDS) == []
    assert client.asks(RDS, "routes") == []
    assert client.asks(EDS, "b") == ["eds b"]
    assert client.asks(CDS) == ["lds out", "rds routes"]


def test_without_clusters_listeners_need_not_wait() -> None:
    assert Client().asks(LDS) == ["lds out"]
