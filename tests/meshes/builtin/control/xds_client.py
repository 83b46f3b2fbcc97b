"""A client of the xDS machine for tables of exchanges: it says what it is told to, and gives what it was answered in words."""

from dataclasses import dataclass

from meshes.builtin.control.xds import Answer, Asked, Kind, Stream, World

CDS, EDS, LDS, RDS, SDS = Kind.CLUSTER, Kind.ENDPOINTS, Kind.LISTENER, Kind.ROUTES, Kind.SECRET
ONE: World = {
    CDS: {"b": "b1"},
    EDS: {"b": "e1"},
    LDS: {"out": "l1"},
    RDS: {"routes": "to b"},
    SDS: {"own": "s1", "trusted": "t1"},
}


def changed(world: World, **kinds: dict[str, str]) -> World:
    return {**world, **{Kind(name): resources for name, resources in kinds.items()}}


@dataclass
class Client:
    """Speaks to a machine and answers nothing by itself; `told` is what it was sent, kind by kind."""

    stream: Stream

    def __init__(self, world: World = ONE) -> None:
        self.stream = Stream(world)
        self.nonces: dict[Kind, str] = {}

    def asks(self, kind: Kind, *names: str) -> list[str]:
        return self._told(self.stream.asked(Asked(kind, names, self.nonces.get(kind, ""))))

    def refuses(self, kind: Kind, *names: str, error: str = "no") -> list[str]:
        return self._told(self.stream.asked(Asked(kind, names, self.nonces[kind], error)))

    def stale(self, kind: Kind, *names: str) -> list[str]:
        return self._told(self.stream.asked(Asked(kind, names, "an older one")))

    def sees(self, world: World) -> list[str]:
        return self._told(self.stream.offered(world))

    def starts(self) -> None:
        """As Envoy does: all is acknowledged in the end."""
        self.asks(CDS)
        self.asks(EDS, "b")
        self.asks(EDS, "b")
        self.asks(SDS, "own", "trusted")
        self.asks(SDS, "own", "trusted")
        self.asks(CDS)
        self.asks(LDS)
        self.asks(RDS, "routes")
        self.asks(LDS)
        self.asks(RDS, "routes")
        assert self.stream.in_force()

    def _told(self, answers: list[Answer]) -> list[str]:
        for answer in answers:
            self.nonces[answer.kind] = answer.nonce
        return [f"{answer.kind.value} {' '.join(sorted(answer.resources))}".strip() for answer in answers]
