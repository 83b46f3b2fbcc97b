"""Authorization, tried from outside with certificates of the mesh: who gets in, and whether a path's spelling gets around it."""

from collections.abc import Mapping

from harness.model.plan import PROBE_IDENTITY
from harness.model.run import Parity
from harness.probes.policy_ground import OUTSIDER, POLICIES, SOLO, Ground

PREFIX = POLICIES.authorization.denied_prefix
DENIED = (
    *(PREFIX, f"{PREFIX}/", f"{PREFIX}/x", f"{PREFIX}?x=1"),
    *(f"/%{ord(PREFIX[1]):02x}{PREFIX[2:]}/x", f"/x/..{PREFIX}", f"/.{PREFIX}", f"/{PREFIX}/x", f"/x/../{PREFIX}"),
    *(
        f"/x/%2e%2e{PREFIX}/x",
        f"/x%2f..%2F{PREFIX[1:]}/x",
        f"/%2F{PREFIX[1:]}",
        f"{PREFIX}%2fx",
        f"/x/..\\{PREFIX[1:]}",
    ),
)
"""The denied path, plainly and as it might be smuggled past: encoded letters, dot segments, slashes doubled, encoded or turned round."""
ALLOWED = ("/", f"{PREFIX}x", f"/x{PREFIX}", "/x?y=/../z")


def paths_refused(statuses: Mapping[str, int]) -> Parity:
    """Every spelling is answered 403."""
    wrong = {path: status for path, status in statuses.items() if status != 403}
    seen = _listed(wrong) if wrong else f"{len(statuses)} spellings of {PREFIX} answered 403, e.g. {DENIED[9]}"
    return Parity("authz: denied path refused", bool(statuses) and not wrong, seen)


def callers_served(statuses: Mapping[str, int], arrived: int) -> Parity:
    """The caller of the topology and the probes get what isn't denied, and nothing else arrived at the app."""
    fine = set(statuses.values()) == {200} and arrived == len(statuses)
    return Parity("authz: right callers served", fine, f"{_listed(statuses)}; {arrived} requests at the app")


def outsider_refused(status: int) -> Parity:
    """A member of the mesh who doesn't call this service by the topology."""
    return Parity("authz: outsider refused", status == 403, f"{OUTSIDER}, with a certificate of the mesh, got {status}")


def off(statuses: Mapping[str, int]) -> Parity:
    """Without it everybody gets in, everywhere."""
    return Parity("authz: off, nobody is refused", set(statuses.values()) == {200}, _listed(statuses))


def prove(ground: Ground, *, on: bool, mtls: bool) -> tuple[Parity, ...]:
    """Makes the calls; those with a certificate of their own only where certificates are looked at."""
    ground.recover()
    outsider = {OUTSIDER: ground.knock(SOLO, OUTSIDER).status} if mtls else {}
    if not on:
        return (off({PREFIX: ground.call(SOLO, PREFIX).status} | outsider),)
    refused = {path: ground.call(SOLO, path).status for path in DENIED}
    served = {path: ground.call(SOLO, path).status for path in ALLOWED}
    served["/ of the probes"] = ground.knock(SOLO, PROBE_IDENTITY).status
    arrived = sum(ground.counts(SOLO))
    return paths_refused(refused), callers_served(served, arrived), outsider_refused(outsider.get(OUTSIDER, 0))


def _listed(statuses: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {status}" for what, status in statuses.items())
