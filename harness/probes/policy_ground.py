"""The ground on which features are proven: services that misbehave on demand, and settings that a proof can wait for.

The calls are made as the entry's app would make them: to its own sidecar, naming the callee in `Host`.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from ssl import SSLContext

from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Traffic
from harness.model.plan import PROBE_IDENTITY, Identity, Plan, replica_host
from harness.model.platform import Deployment, Endpoint
from harness.model.policy import Breaker, Ejection, Policies, Retry
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology
from harness.probes import observe
from harness.probes.observe import WITHIN_S, Answered
from harness.probes.parity_tls import client_context

CALLER, MANY, SOLO = "caller", "many", "solo"
REPLICAS = 3
SERVICES = {MANY: REPLICAS, SOLO: 1}
POLICIES = Policies(
    retry=Retry(attempts=2, per_try_timeout_s=1.0, budget_share=0.2, budget_least=2),
    breaker=Breaker(max_connections=8, max_pending=8),
    ejection=Ejection(consecutive=20, base_s=2.0, most_share=0.5),
)
"""Small enough to be reached. Proofs of one feature stay below what the others act on: 500 isn't retried, and 20 errors in a row are
only there where ejection is proven."""
TRAFFIC = Traffic(request_timeout_s=5.0, policies=POLICIES)
TO_REACH_ALL = 30
"""So many calls, balanced at random, miss one of three replicas once in 200,000 times, one that gets two in five once in four million."""
MOST_CALLS = 500
"""Enough for 20 errors of a replica that gets one call in ten."""
SETTLED_S = 0.05
"""A mesh may judge errors beside its requests; so long after the last one it has."""
OUTSIDER = "outsider"
"""An identity of the mesh that belongs to no service."""


def topology(program: Program) -> Topology:
    """A caller, a callee of three replicas and one of one."""
    script = (Step((Call(MANY), Call(SOLO))),)
    callees = (Service(name, program, replicas=replicas) for name, replicas in SERVICES.items())
    return Topology("policy-ground", CALLER, (Service(CALLER, program, script=script), *callees), digest="built-in")


def with_outsider(plan: Plan) -> Plan:
    """The plan, with a certificate for somebody whom nobody calls: the probes' name with another end."""
    probe = next((each for each in plan.identities if each.name == PROBE_IDENTITY), None)
    if probe is None or plan.issuer is None:
        return plan
    outsider = Identity(OUTSIDER, f"{probe.spiffe_id.rpartition('/')[0]}/{OUTSIDER}")
    return replace(plan, identities=(*plan.identities, outsider))


class Client:
    """Calls one after another, over one connection as long as that is kept. EnvironmentFailure if there is no answer at all."""

    def __init__(self, at: Endpoint, context: SSLContext | None = None) -> None:
        self._at = f"{at[0]}:{at[1]}"
        if context is None:
            self._connection = HTTPConnection(*at, timeout=WITHIN_S)
        else:
            self._connection = HTTPSConnection(*at, timeout=WITHIN_S, context=context)

    def call(
        self, callee: str, path: str = "/", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answered:
        """A GET, or a POST if there is a body; the path is sent as it stands."""
        start_ns = time.monotonic_ns()
        try:
            method = "GET" if body is None else "POST"
            self._connection.request(method, path, body, {"Host": callee, **(headers or {})})
            response = self._connection.getresponse()
            response.read()
        except (OSError, HTTPException) as error:
            self.close()
            raise EnvironmentFailure(f"no answer from {self._at}: {type(error).__name__} {error}") from error
        return Answered(response.status, (time.monotonic_ns() - start_ns) / 1e9)

    def close(self) -> None:
        """The next call makes a new connection."""
        self._connection.close()


class Ground:
    """A running policy ground as the proofs use it. Close it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._clients = {callee: self._outbound(callee) for callee in SERVICES}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def call(
        self, callee: str, path: str = "/", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answered:
        """One call by the caller."""
        return self._clients[callee].call(callee, path, headers, body)

    def fail(self, callee: str, errors: int) -> int:
        """Calls until so many have failed with 500, or in vain; how many did. A mesh has noticed by then."""
        failed = 0
        for _ in range(MOST_CALLS):
            failed += self.call(callee).status == 500
            if failed == errors:
                break
        time.sleep(SETTLED_S)
        return failed

    def at_once(self, pool: ThreadPoolExecutor, number: int, callee: str) -> list[Future[Answered]]:
        """So many calls at the same time, each over a connection of its own."""
        return [pool.submit(self._single, callee) for _ in range(number)]

    def knock(self, callee: str, identity: str, path: str = "/") -> Answered:
        """One call to the callee's first sidecar from outside, with the certificate of that identity."""
        folder: Path = self.deployment.identity_dir(identity)
        at = self.deployment.inbound(replica_host(callee, 0))
        client = Client(at, client_context(folder, folder))
        try:
            return client.call(callee, path)
        finally:
            client.close()

    def order(self, host: str, *, status: int = 200, sleep_s: float = 0.0, times: int = observe.ALWAYS) -> None:
        """A replica forgets its counts and misbehaves."""
        observe.reset(self.deployment)
        observe.order(self.deployment, host, status=status, sleep_s=sleep_s, times=times)

    def recover(self) -> None:
        """Everybody works as ever, has just answered, so that no row of errors goes on, and forgets what was counted."""
        observe.withdraw(self.deployment)
        for callee, replicas in SERVICES.items():
            for _ in range(1 if replicas == 1 else TO_REACH_ALL):
                self.call(callee)
        observe.reset(self.deployment)

    def counts(self, callee: str) -> tuple[int, ...]:
        """Requests at each replica since the last reset."""
        served = observe.served(self.deployment)
        return tuple(served[replica_host(callee, n)].requests for n in range(SERVICES[callee]))

    def _outbound(self, callee: str) -> Client:
        return Client(self.deployment.outbound(self.deployment.plan.entry_host, callee))

    def _single(self, callee: str) -> Answered:
        client = self._outbound(callee)
        try:
            return client.call(callee)
        finally:
            client.close()
