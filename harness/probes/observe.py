"""Asks the fan-out services what they counted (observe port), and calls a deployment as a client would. Starts nothing.

An app that isn't the fan-out service (it binds no observe port) is left out.
"""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeVar
from urllib.parse import urlsplit

from harness.model.errors import EnvironmentFailure
from harness.model.plan import OBSERVE_PORT, Unit
from harness.model.platform import Deployment

WITHIN_S = 10.0
AT_ONCE = 8
ALWAYS = 10**9
"""More requests than any probe makes."""

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Served:
    """What arrived at one replica's app port since the last reset.

    `protocol` and `headers` (names lowercase) are those of the last request, empty if there was none. `most_at_once` requests were
    held at the same time by the order in force.
    """

    service: str
    requests: int
    connections: int
    protocol: str
    headers: Mapping[str, str]
    most_at_once: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """One call from outside."""

    status: int
    elapsed_s: float


def reset(deployment: Deployment) -> None:
    """Every replica forgets what it counted."""
    _ask_all(deployment, "POST", "/reset", lambda _unit, _document: None)


def served(deployment: Deployment) -> dict[str, Served]:
    """What each replica got, by host."""
    return _ask_all(deployment, "GET", "/served", _served)


def order(deployment: Deployment, host: str, *, status: int = 200, sleep_s: float = 0.0, times: int = ALWAYS) -> None:
    """The next `times` requests at one replica are answered with that status after that time; what it counted stays."""
    unit = next(unit for unit in _observed(deployment) if unit.host == host)
    target = f"/order?status={status}&sleep_us={round(sleep_s * 1e6)}&times={times}"
    _ask(unit, deployment.address(host), "POST", target)


def withdraw(deployment: Deployment) -> None:
    """Every replica works as ever."""
    _ask_all(deployment, "POST", "/order?status=200&sleep_us=0&times=0", lambda _unit, _document: None)


def requests_by_service(deployment: Deployment) -> dict[str, int]:
    """Requests since the last reset, summed over replicas."""
    totals: dict[str, int] = {}
    for replica in served(deployment).values():
        totals[replica.service] = totals.get(replica.service, 0) + replica.requests
    return totals


def hops(deployment: Deployment, first_s: int, end_s: int) -> list[Any]:  # Any: JSON values
    """`/hops` of every replica, for the seconds of CLOCK_MONOTONIC from `first_s` to before `end_s`."""
    return list(
        _ask_all(deployment, "GET", f"/hops?from={first_s}&to={end_s}", lambda _unit, document: document).values()
    )


def enter(deployment: Deployment) -> Answered:
    """One request where load enters."""
    entry = urlsplit(deployment.entry_url())
    if entry.hostname is None or entry.port is None:
        raise EnvironmentFailure(f"the deployment's entry {deployment.entry_url()!r} has no host and port")
    return call(entry.hostname, entry.port, {})


def call(address: str, port: int, headers: Mapping[str, str]) -> Answered:
    """One GET over a connection of its own. EnvironmentFailure if there is no answer at all."""
    connection = HTTPConnection(address, port, timeout=WITHIN_S)
    try:
        start_ns = time.monotonic_ns()
        connection.request("GET", "/", headers=dict(headers))
        response = connection.getresponse()
        response.read()
        return Answered(response.status, (time.monotonic_ns() - start_ns) / 1e9)
    except (OSError, HTTPException) as error:
        raise EnvironmentFailure(f"no answer from {address}:{port}: {type(error).__name__} {error}") from error
    finally:
        connection.close()


def _ask_all(
    deployment: Deployment,
    method: str,
    target: str,
    read: Callable[[Unit, Any], Told],  # Any: JSON values
) -> dict[str, Told]:
    """The answer of every replica, by host, asked side by side."""
    units = _observed(deployment)

    def ask(unit: Unit) -> Told:
        return read(unit, _ask(unit, deployment.address(unit.host), method, target))

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return dict(zip((unit.host for unit in units), pool.map(ask, units), strict=True))


def _observed(deployment: Deployment) -> list[Unit]:
    return [unit for unit in deployment.plan.units if unit.role == "app" and OBSERVE_PORT in unit.ports]


def _ask(unit: Unit, address: str, method: str, target: str) -> Any:  # Any: JSON values
    connection = HTTPConnection(address, OBSERVE_PORT, timeout=WITHIN_S)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise EnvironmentFailure(f"unit {unit.name!r} answered {response.status} to {method} {target}: 200 is due")
        return json.loads(text)
    except (OSError, HTTPException, ValueError) as error:
        problem = f"{type(error).__name__} {error}"
        raise EnvironmentFailure(f"unit {unit.name!r} can't tell what it counted ({target}): {problem}") from error
    finally:
        connection.close()


def _served(unit: Unit, document: Any) -> Served:  # Any: JSON values
    return Served(
        service=unit.service,
        requests=document["requests"],
        connections=document["connections_accepted"],
        protocol=f"HTTP/{document['last_version']}" if document["last_version"] else "",
        headers={name.lower(): value for name, value in document["last_headers"]},
        most_at_once=document.get("most_at_once", 0),
    )
