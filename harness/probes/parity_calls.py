"""What happens to calls on the proving ground: timeout, retries, balancing, connections, identity, as services counted them.

Each judgement is a pure function of counts; one function at the end makes the calls.
"""

from collections.abc import Mapping, Sequence

from harness.model.plan import Plan, replica_host
from harness.model.platform import Deployment
from harness.model.run import Parity
from harness.probes import observe
from harness.probes.ground import BROKEN, CALLER, CALLS_TO_REPLICAS, MANY, REPLICAS, SLOW, TRAFFIC
from harness.probes.observe import Answered, Served

ENTRIES = 6
"""Requests at the entry: 18 calls to three replicas, six to the failing callee, at 0.3 s each."""
BURST = 30
BURSTS = 3
"""Counts of 30 calls sent to 3 replicas at random differ by less than two in one burst of 37, in all three in one of 50,000."""
EARLY, LATE_S = 0.95, 0.6
"""A cut may come 5 % before the timeout (timers tick) and 0.6 s after it (a busy machine), well before the callee answers."""
XFCC = "x-forwarded-client-cert"
FORGED = "spiffe://forged.example/ns/none/sa/nobody"
TIMEOUT_S = TRAFFIC.request_timeout_s


def protocol(served: Mapping[str, Served]) -> Parity:
    """Every app that got a request saw the protocol that its topology says."""
    seen = {host: each.protocol for host, each in served.items() if each.requests}
    return Parity("protocol: HTTP/1.1 at the app", set(seen.values()) == {"HTTP/1.1"}, _listed(seen))


def retries(served: Mapping[str, Served]) -> Parity:
    """The failing callee got each call once: an answer 500 is nobody's to repeat, also where retries are on."""
    got = served[replica_host(BROKEN, 0)].requests
    return Parity(
        "retries: none after an answer 500", got == ENTRIES, f"{got} requests at a failing callee for {ENTRIES} calls"
    )


def keep_alive(served: Mapping[str, Served]) -> Parity:
    """No callee accepted more connections than it had calls at the same time."""
    at_once = {MANY: CALLS_TO_REPLICAS, BROKEN: 1}
    hosts = {
        host: (each, at_once[host.rpartition("-")[0]])
        for host, each in served.items()
        if host.rpartition("-")[0] in at_once
    }
    fine = all(each.connections <= most for each, most in hosts.values())
    seen = {
        host: f"{each.connections} new connections for {each.requests} requests" for host, (each, _) in hosts.items()
    }
    return Parity("keep-alive: connections held", fine, _listed(seen))


def round_robin(counts: Sequence[int]) -> Parity:
    """Turns: counts differ by at most one."""
    fine = sum(counts) == ENTRIES * CALLS_TO_REPLICAS and max(counts) - min(counts) <= 1
    return Parity("balancing: round robin", fine, f"{_dashed(counts)} calls at {len(counts)} replicas")


def least_request(bursts: Sequence[Sequence[int]]) -> Parity:
    """No turns: in some burst of calls, one by one, counts differ by two or more; and nobody is left out."""
    turns = all(max(counts) - min(counts) <= 1 for counts in bursts)
    used = all(sum(counts) for counts in zip(*bursts, strict=True))
    lost = [counts for counts in bursts if sum(counts) != BURST]
    seen = f"{', '.join(map(_dashed, bursts))} of {BURST} calls at {len(bursts[0])} replicas"
    return Parity("balancing: least request takes no turns", used and not turns and not lost, seen)


def cut(answers: Sequence[Answered], where: str) -> Parity:
    """Every answer came after the timeout, before the slow callee could have answered, and says 504."""
    in_time = all(TIMEOUT_S * EARLY <= each.elapsed_s <= TIMEOUT_S + LATE_S for each in answers)
    right = all(each.status == 504 for each in answers)
    seen = ", ".join(f"{each.status} after {each.elapsed_s:.3f} s" for each in answers) + f" (timeout {TIMEOUT_S:g} s)"
    return Parity(f"timeout: cut {where}", in_time and right, seen)


def caller_named(header: str | None, identity: str) -> Parity:
    """With mTLS the app reads the caller's identity; without (`identity` is empty) it reads no such header."""
    uris = uris_of(header or "")
    fine = uris == (identity,) if identity else header is None
    return Parity("identity: caller named to the app", fine, f"{XFCC}: {header or 'absent'}")


def forgery_dropped(header: str | None) -> Parity:
    """What an app writes into the identity header itself doesn't arrive."""
    return Parity("identity: forged header dropped", FORGED not in (header or ""), f"{XFCC}: {header or 'absent'}")


def uris_of(header: str) -> tuple[str, ...]:
    """The URI fields of `By=…;Hash=…;URI=…,By=…`, in order; values may be quoted."""
    fields = (field.partition("=") for element in header.split(",") for field in element.split(";"))
    return tuple(value.strip('"') for key, _, value in fields if key.strip().lower() == "uri")


def prove(deployment: Deployment, features: frozenset[str]) -> tuple[Parity, ...]:
    """Makes the calls on a running proving ground and judges them; leaves counts behind."""
    observe.reset(deployment)
    entered = [observe.enter(deployment) for _ in range(ENTRIES)]
    served = observe.served(deployment)
    header = served[replica_host(MANY, 0)].headers.get(XFCC)
    proofs = [
        protocol(served),
        retries(served),
        keep_alive(served),
        cut(entered, "at the entry"),
        caller_named(header, _identity(deployment.plan)),
    ]
    if not {"least-request", "split"} & features:
        proofs.append(round_robin(_counts(served)))
    if not _has_sidecar(deployment.plan):
        return tuple(proofs)
    if "least-request" in features:
        proofs.append(least_request([_burst(deployment) for _ in range(BURSTS)]))
    proofs.append(cut([_call(deployment, SLOW)], "by the sidecar"))
    _call(deployment, BROKEN, {XFCC: f"By={FORGED};URI={FORGED}"})
    forged = observe.served(deployment)[replica_host(BROKEN, 0)].headers.get(XFCC)
    return (*proofs, forgery_dropped(forged))


def _identity(plan: Plan) -> str:
    return next((unit.identity for unit in plan.units if unit.service == CALLER and unit.role == "sidecar"), "")


def _has_sidecar(plan: Plan) -> bool:
    return any(unit.host == plan.entry_host and unit.role == "sidecar" for unit in plan.units)


def _call(deployment: Deployment, callee: str, headers: Mapping[str, str] | None = None) -> Answered:
    """As the entry's app would: to its own sidecar, naming the callee in `Host`."""
    at = deployment.outbound(deployment.plan.entry_host, callee)
    return observe.call(*at, {"Host": callee, **(headers or {})})


def _burst(deployment: Deployment) -> tuple[int, ...]:
    observe.reset(deployment)
    for _ in range(BURST):
        _call(deployment, MANY)
    return _counts(observe.served(deployment))


def _counts(served: Mapping[str, Served]) -> tuple[int, ...]:
    return tuple(served[replica_host(MANY, n)].requests for n in range(REPLICAS))


def _dashed(counts: Sequence[int]) -> str:
    return "-".join(map(str, counts))


def _listed(seen: Mapping[str, object]) -> str:
    return ", ".join(f"{host}: {what}" for host, what in seen.items())
