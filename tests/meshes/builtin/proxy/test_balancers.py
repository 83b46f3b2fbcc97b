"""Who is picked: every balancing by a table, with chance and time given."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes.builtin.policies_balancing import Hash, Selection
from meshes.builtin.proxy.balancers import Balancer, LeastRequest, PeakEwma, Random, RoundRobin, balancer
from meshes.builtin.proxy.balancing import seeded
from meshes.builtin.proxy.ewma import Latency
from meshes.builtin.proxy.hashed import Maglev, key


class Place:
    def __init__(self, name: str) -> None:
        self.name = name
        self.active = 0
        self.latency: Latency | None = None

    def __repr__(self) -> str:
        return self.name


class Request:
    def __init__(self, lead: bytes = b"", source: bytes = b"127.0.0.1") -> None:
        self.lead = lead
        self.source = source


def places(count: int) -> list[Place]:
    return [Place("abcdefgh"[n]) for n in range(count)]


def picked(found: Balancer[Place], times: int, asker: Request | None = None) -> str:
    return "".join(found.pick(asker).name for _ in range(times))


def ready(found: Balancer[Place], every: Sequence[Place], well: Sequence[Place] | None = None) -> Balancer[Place]:
    found.refresh(every, every if well is None else well)
    return found


@pytest.mark.parametrize(
    ("balancing", "selection", "kind"),
    [
        ("round-robin", None, RoundRobin),
        ("least-request", None, LeastRequest),
        ("random", None, Random),
        ("peak-ewma", None, PeakEwma),
        ("peak-ewma", Selection(ewma_decay_s=1.0), PeakEwma),
        ("maglev", Selection(Hash("source")), Maglev),
    ],
)
def test_the_one_that_is_named(balancing: str, selection: Selection | None, kind: type) -> None:
    found: Balancer[Place] = balancer(balancing, selection, seeded(1))
    assert type(found) is kind


def test_round_robin_goes_on_where_it_was_when_somebody_goes() -> None:
    every = places(3)
    found = ready(RoundRobin(), every)
    assert picked(found, 4) == "abca"
    found.refresh(every, every[:2])
    assert picked(found, 3) == "bab"


def test_random_is_everybody_about_as_often() -> None:
    shares = Counter(picked(ready(Random(seeded(7)), places(4)), 4000))
    assert set(shares) == set("abcd")
    assert min(shares.values()) > 850


@given(st.integers(2, 8), st.integers(1, 10))
def test_round_robin_visits_all_equally(count: int, laps: int) -> None:
    assert set(Counter(picked(ready(RoundRobin(), places(count)), count * laps)).values()) == {laps}


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8), st.integers(1, 2**64 - 1))
def test_least_request_never_takes_the_uniquely_most_loaded(loads: list[int], seed: int) -> None:
    every = places(len(loads))
    for each, load in zip(every, loads, strict=True):
        each.active = load
    chosen = ready(LeastRequest(seeded(seed)), every).pick(None)
    assert loads.count(max(loads)) > 1 or chosen.active != max(loads)


def test_least_request_spreads_equal_loads_evenly_and_keeps_them_together() -> None:
    every = places(5)
    found = ready(LeastRequest(seeded(7)), every)
    assert all(1_850 < count < 2_150 for count in Counter(picked(found, 10_000)).values())
    for _ in range(1_000):
        found.pick(None).active += 1
    loads = [each.active for each in every]
    assert max(loads) - min(loads) <= 5


def test_the_one_that_answers_sooner_gets_more_until_it_has_more_in_flight() -> None:
    every = places(2)
    found = ready(PeakEwma(seeded(1), 10.0, lambda: 5), every)
    for each, took_ns in zip(every, (100, 1000), strict=True):
        assert each.latency is not None
        each.latency.observe(took_ns, 5)
    assert picked(found, 20) == "a" * 20
    every[0].active = 8
    assert picked(found, 20) == "a" * 20
    every[0].active = 10
    assert picked(found, 20) == "b" * 20


def test_one_that_nobody_knows_is_asked_first_and_not_twice_at_once() -> None:
    every = places(2)
    found = ready(PeakEwma(seeded(1), 10.0, lambda: 5), every)
    assert every[0].latency is not None
    every[0].latency.observe(1000, 5)
    assert picked(found, 9) == "b" * 9
    every[1].active = 1
    assert picked(found, 9) == "a" * 9


def test_a_key_stays_with_its_endpoint_and_comes_back_to_it() -> None:
    every = places(4)
    found = ready(Maglev(seeded(1), Hash("source")), every)
    asker = Request(source=b"10.1.2.3")
    (home,) = set(picked(found, 9, asker))
    others = [each for each in every if each.name != home]
    found.refresh(every, others)
    (away,) = set(picked(found, 9, asker))
    assert away != home
    found.refresh(every, every)
    assert set(picked(found, 9, asker)) == {home}


def test_keys_are_spread_over_all() -> None:
    found = ready(Maglev(seeded(1), Hash("source")), places(4))
    shares = Counter(found.pick(Request(source=b"%d" % n)).name for n in range(4000))
    assert min(shares.values()) > 850


@pytest.mark.parametrize("asker", [None, Request(b"GET / HTTP/1.1\r\nhost: b\r\n")])
def test_a_request_without_a_key_goes_anywhere(asker: Request | None) -> None:
    found = ready(Maglev(seeded(1), Hash("header", "x-user")), places(4))
    assert set(picked(found, 100, asker)) == set("abcd")


@pytest.mark.parametrize(
    ("config", "fields", "expected"),
    [
        (Hash("source"), b"", b"127.0.0.1"),
        (Hash("header", "x-user"), b"x-user: me\r\n", b"me"),
        (Hash("header", "x-user"), b"X-USER:me  \r\n", b"me"),
        (Hash("header", "x-user"), b"x-user-id: me\r\nx-user: you\r\nx-user: him\r\n", b"you"),
        (Hash("header", "x-user"), b"x-user:\r\n", b""),
        (Hash("header", "x-user"), b"y: x-user: me\r\n", b""),
        (Hash("header", "x-user"), b"", b""),
        (Hash("cookie", "sid"), b"cookie: sid=1\r\n", b"1"),
        (Hash("cookie", "sid"), b"Cookie: a=b; sid=1 ; c=d\r\n", b"1"),
        (Hash("cookie", "sid"), b"cookie: a=b\r\ncookie: sid=1\r\n", b"1"),
        (Hash("cookie", "sid"), b"cookie: xsid=1; sidx=2\r\n", b""),
        (Hash("cookie", "sid"), b"cookie: SID=1\r\n", b""),
        (Hash("cookie", "sid"), b"x: ; sid=1\r\n", b""),
    ],
)
def test_the_key_of_a_request(config: Hash, fields: bytes, expected: bytes) -> None:
    assert key(config)(Request(b"GET / HTTP/1.1\r\nhost: b\r\n" + fields)) == expected
