"""What a proxy counts, as plain integers, and the Prometheus text of it (exposition format 0.0.4). Opens no socket."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

_CLASSES: Final = 6
_MOST_GRPC_STATUS: Final = 16
_SHIFTS: Final = range(14, 35)
"""Bucket bounds are powers of two of nanoseconds, 16 µs to 17 s: the bucket of a duration is its bit length."""


class Tunnels:
    """Connections whose bytes were passed on as they are; bytes are counted when one is over, `in` from the caller."""

    __slots__ = ("active", "bytes_in", "bytes_out", "total")

    def __init__(self) -> None:
        self.active = 0
        self.total = 0
        self.bytes_in = 0
        self.bytes_out = 0


class Traffic:
    """Requests of one direction to one cluster. `status` counts by hundreds (0: the client went before an answer);
    `durations` by bit length of nanoseconds, from the request's head to the response's end; `grpc` counts calls by their own status."""

    __slots__ = ("active", "durations", "grpc", "status", "total_ns", "tunnels")

    def __init__(self) -> None:
        self.status = [0] * _CLASSES
        self.grpc: dict[int, int] = {}
        self.tunnels = Tunnels()
        self.durations = [0] * 65
        self.total_ns = 0
        self.active = 0

    def count(self, status: int, elapsed_ns: int) -> None:
        """One request that is over."""
        self.status[status // 100] += 1
        self.durations[elapsed_ns.bit_length()] += 1
        self.total_ns += elapsed_ns

    def count_grpc(self, status: int) -> None:
        """A call of gRPC that is over; there are 17 statuses, what is none of them is one (-1, as if it had none)."""
        status = status if 0 <= status <= _MOST_GRPC_STATUS else -1
        self.grpc[status] = self.grpc.get(status, 0) + 1


class Connections:
    """Connections of one side (`downstream` of a listener, `upstream` of a cluster)."""

    __slots__ = ("handshakes", "open", "opened", "refused", "tls_failures")

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.refused = 0
        self.handshakes = 0
        self.tls_failures = 0


class Telemetry:
    """Everything one proxy counts, by direction and cluster; lives as long as the process."""

    def __init__(self) -> None:
        self.traffic: dict[tuple[str, str], Traffic] = {}
        self.connections: dict[tuple[str, str], Connections] = {}
        self.failures: dict[tuple[str, str], int] = {}
        self.policies: dict[tuple[str, str], Callable[[], int]] = {}
        self.snapshot_version = 0
        self.snapshots_refused = 0
        self.certificate_not_after = 0
        self.certificates = 0
        self.control_errors = 0
        self.control_error = ""

    def traffic_of(self, direction: str, cluster: str) -> Traffic:
        """The counters of a direction and cluster; the same ones after every change of configuration."""
        return self.traffic.setdefault((direction, cluster), Traffic())

    def connections_of(self, side: str, name: str) -> Connections:
        """The counters of a side and a listener's or cluster's name."""
        return self.connections.setdefault((side, name), Connections())

    def failed(self, direction: str, flag: str) -> None:
        """One request that got an answer of our own."""
        self.failures[direction, flag] = self.failures.get((direction, flag), 0) + 1

    def text(self) -> str:
        """All of it for Prometheus."""
        return (
            "\n".join([*self._traffic(), *self._failures(), *self._connections(), *self._policies(), *self._state()])
            + "\n"
        )

    def _traffic(self) -> Iterator[str]:
        yield "# TYPE hoptax_requests_total counter"
        for (direction, cluster), traffic in self.traffic.items():
            for hundreds, count in enumerate(traffic.status):
                code = f"{hundreds}xx" if hundreds else "none"
                yield f'hoptax_requests_total{{direction="{direction}",cluster="{cluster}",code="{code}"}} {count}'
        if any(traffic.grpc for traffic in self.traffic.values()):
            yield "# TYPE hoptax_grpc_calls_total counter"
        for (direction, cluster), traffic in self.traffic.items():
            for number, count in sorted(traffic.grpc.items()):
                labels = f'direction="{direction}",cluster="{cluster}",status="{"none" if number < 0 else number}"'
                yield f"hoptax_grpc_calls_total{{{labels}}} {count}"
        yield from self._tunnels()
        yield "# TYPE hoptax_requests_active gauge"
        for (direction, cluster), traffic in self.traffic.items():
            yield f'hoptax_requests_active{{direction="{direction}",cluster="{cluster}"}} {traffic.active}'
        yield "# TYPE hoptax_request_duration_seconds histogram"
        for (direction, cluster), traffic in self.traffic.items():
            yield from _histogram(f'direction="{direction}",cluster="{cluster}"', traffic)

    def _tunnels(self) -> Iterator[str]:
        carried = [each for each in self.traffic.items() if each[1].tunnels.total or each[1].tunnels.active]
        for field, kind in _TUNNEL_METRICS if carried else ():
            yield f"# TYPE hoptax_tcp_{field} {kind}"
            attribute = field.removeprefix("connections_").removesuffix("_total")
            for (direction, cluster), traffic in carried:
                value = getattr(traffic.tunnels, attribute or "total")
                yield f'hoptax_tcp_{field}{{direction="{direction}",cluster="{cluster}"}} {value}'

    def _failures(self) -> Iterator[str]:
        yield "# TYPE hoptax_local_responses_total counter"
        for (direction, flag), count in self.failures.items():
            yield f'hoptax_local_responses_total{{direction="{direction}",flag="{flag}"}} {count}'

    def _connections(self) -> Iterator[str]:
        for field, kind in _CONNECTION_METRICS:
            yield f"# TYPE hoptax_{field} {kind}"
            attribute = field.removeprefix("connections_").removesuffix("_total")
            for (side, name), connections in self.connections.items():
                yield f'hoptax_{field}{{side="{side}",name="{name}"}} {getattr(connections, attribute)}'

    def _policies(self) -> Iterator[str]:
        """What policies did, read from themselves: nothing for those that a callee doesn't have."""
        for field, kind in _POLICY_METRICS:
            found = {cluster: read for (name, cluster), read in self.policies.items() if name == field}
            if found:
                yield f"# TYPE hoptax_{field} {kind}"
                yield from (f'hoptax_{field}{{cluster="{cluster}"}} {read()}' for cluster, read in found.items())

    def _state(self) -> Iterable[str]:
        for name, kind, value in (
            ("snapshot_version", "gauge", self.snapshot_version),
            ("snapshots_refused_total", "counter", self.snapshots_refused),
            ("certificates_total", "counter", self.certificates),
            ("control_errors_total", "counter", self.control_errors),
            ("certificate_not_after_seconds", "gauge", self.certificate_not_after),
        ):
            yield f"# TYPE hoptax_{name} {kind}"
            yield f"hoptax_{name} {value}"


_TUNNEL_METRICS = (
    ("connections_active", "gauge"),
    ("connections_total", "counter"),
    ("bytes_in_total", "counter"),
    ("bytes_out_total", "counter"),
)

_CONNECTION_METRICS = (
    ("connections_opened_total", "counter"),
    ("connections_open", "gauge"),
    ("connections_refused_total", "counter"),
    ("handshakes_total", "counter"),
    ("tls_failures_total", "counter"),
)


_POLICY_METRICS = (
    ("retries_total", "counter"),
    ("retries_denied_total", "counter"),
    ("ejections_total", "counter"),
    ("ejections_gateway_total", "counter"),
    ("ejections_local_total", "counter"),
    ("ejections_success_rate_total", "counter"),
    ("endpoints_ejected", "gauge"),
    ("requests_pending", "gauge"),
    ("breaker_refused_total", "counter"),
)


def _histogram(labels: str, traffic: Traffic) -> Iterator[str]:
    name, below = "hoptax_request_duration_seconds", sum(traffic.durations[: _SHIFTS[0]])
    for shift in _SHIFTS:
        below += traffic.durations[shift]
        yield f'{name}_bucket{{{labels},le="{(1 << shift) / 1e9:.9g}"}} {below}'
    total = sum(traffic.durations)
    yield f'{name}_bucket{{{labels},le="+Inf"}} {total}'
    yield f"{name}_sum{{{labels}}} {traffic.total_ns / 1e9:.9g}"
    yield f"{name}_count{{{labels}}} {total}"
