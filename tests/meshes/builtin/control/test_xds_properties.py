"""The xDS machine against a client that behaves as Envoy does, with requests, answers and changes crossing in every order."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from meshes.builtin.control.xds import Answer, Asked, Kind, Stream, World

BAD = "bad"
NAMES = st.sets(st.sampled_from("bcd"), min_size=1)
TEXTS = st.sampled_from(["1", "2", BAD])
STEPS = st.lists(st.sampled_from(["answer", "request", "world", "reconnect"]), max_size=60)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Routes name exactly the clusters that exist."""
    names = sorted(draw(NAMES))
    return {
        Kind.SECRET: {"own": draw(TEXTS)},
        Kind.CLUSTER: {name: draw(TEXTS) for name in names},
        Kind.ENDPOINTS: {name: draw(st.sampled_from("12")) for name in names},
        Kind.LISTENER: {"out": draw(TEXTS)},
        Kind.ROUTES: {"routes": f"{draw(TEXTS)} {' '.join(names)}"},
    }


class Envoy:
    """Takes an answer unless something in it is bad; asks for endpoints of its clusters, and for routes once it has a listener."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.has: dict[Kind, dict[str, str]] = {kind: {} for kind in Kind}
        self.connect()

    def connect(self) -> None:
        """A new stream; what it has it keeps, and it asks for all of it at once."""
        self.stream = Stream(self.world)
        self.answers: deque[Answer] = deque()
        self.requests: deque[Asked] = deque()
        self.nonces: dict[Kind, str] = {}
        self.asked = {kind for kind in Kind if self.has[kind]} | {Kind.CLUSTER, Kind.SECRET}
        for kind in self.asked:
            self.ask(kind)

    def names(self, kind: Kind) -> tuple[str, ...]:
        wanted = {
            Kind.ENDPOINTS: tuple(sorted(self.has[Kind.CLUSTER])),
            Kind.ROUTES: ("routes",),
            Kind.SECRET: ("own",),
        }
        return wanted.get(kind, ())

    def ask(self, kind: Kind, error: str = "") -> None:
        self.asked.add(kind)
        self.requests.append(Asked(kind, self.names(kind), self.nonces.get(kind, ""), error))

    def step(self, what: str) -> None:
        if what == "answer" and self.answers:
            self.take(self.answers.popleft())
        elif what == "request" and self.requests:
            self.send(self.stream.asked(self.requests.popleft()))
        elif what == "reconnect":
            self.connect()

    def send(self, answers: list[Answer]) -> None:
        for answer in answers:
            assert not [other for other in self.answers if other.kind is answer.kind], "two answers of a kind are open"
            assert answer.kind in self.asked, "nobody asked for that"
            self.answers.append(answer)

    def take(self, answer: Answer) -> None:
        self.nonces[answer.kind] = answer.nonce
        if any(BAD in text for text in answer.resources.values()):
            self.ask(answer.kind, "I don't like it")
            return
        had = self.names(Kind.ENDPOINTS), dict(self.has[Kind.CLUSTER])
        if answer.kind in {Kind.CLUSTER, Kind.LISTENER}:
            self.has[answer.kind] = dict(answer.resources)
        else:
            self.has[answer.kind].update(answer.resources)
        if answer.kind is Kind.CLUSTER:
            self.clusters_changed(*had)
        if answer.kind is Kind.LISTENER and Kind.ROUTES not in self.asked:
            self.ask(Kind.ROUTES)
        self.ask(answer.kind)
        if answer.kind is Kind.CLUSTER and Kind.LISTENER not in self.asked:
            self.ask(Kind.LISTENER)

    def clusters_changed(self, names: tuple[str, ...], had: dict[str, str]) -> None:
        """Endpoints of clusters that are gone are forgotten; those of changed ones are asked for again."""
        clusters = self.has[Kind.CLUSTER]
        self.has[Kind.ENDPOINTS] = {name: text for name, text in self.has[Kind.ENDPOINTS].items() if name in clusters}
        if self.names(Kind.ENDPOINTS) != names or any(had.get(name) != text for name, text in clusters.items()):
            self.ask(Kind.ENDPOINTS)

    def see(self, world: World) -> None:
        self.world = world
        self.send(self.stream.offered(world))

    def settle(self) -> None:
        for _ in range(200):
            if not self.answers and not self.requests:
                return
            self.step("request")
            self.step("answer")
        raise AssertionError("they talk for ever")

    def check(self) -> None:
        for text in self.has[Kind.ROUTES].values():
            assert set(text.split()[1:]) <= set(self.has[Kind.CLUSTER]), "a route leads to a cluster that isn't there"


@settings(deadline=None)
@given(st.data(), STEPS)
def test_routes_always_lead_somewhere_and_in_the_end_all_is_in_force(data: st.DataObject, steps: list[str]) -> None:
    envoy = Envoy(data.draw(worlds()))
    for step in steps:
        if step == "world":
            envoy.see(data.draw(worlds()))
        else:
            envoy.step(step)
        if "reconnect" not in steps:
            envoy.check()
    envoy.settle()

    good = {
        Kind.SECRET: {"own": "9"},
        Kind.CLUSTER: {"b": "9"},
        Kind.ENDPOINTS: {"b": "9"},
        Kind.LISTENER: {"out": "9"},
        Kind.ROUTES: {"routes": "9 b"},
    }
    envoy.see(good)
    envoy.settle()

    assert envoy.has == good
    assert envoy.stream.in_force()
    assert envoy.stream.refusals() == {}


@settings(deadline=None)
@given(worlds(), worlds())
def test_what_is_refused_is_told_and_what_was_in_force_stays(first: World, second: World) -> None:
    envoy = Envoy(first)
    envoy.settle()
    envoy.see(second)
    envoy.settle()

    bad = {kind for kind in Kind if any(BAD in text for text in envoy.world[kind].values())}
    assert bool(envoy.stream.refusals()) is bool(bad)
    assert envoy.stream.in_force() is (not bad)
    assert not any(BAD in text for resources in envoy.has.values() for text in resources.values())
