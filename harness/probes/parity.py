"""Proves from outside that an arm does what its features say and nothing else, before any load. It knows no mesh by name.

`prove` runs once per arm and experiment, on a topology of its own; `quick` in every trial, on the topology under test.
Both leave counts in the services: the caller resets them.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Arm
from harness.model.plan import INBOUND_PORT, PROBE_IDENTITY, Plan
from harness.model.platform import Deployment, Platform
from harness.model.run import Parity
from harness.platforms.programs import command
from harness.probes import ground, parity_calls, parity_policies, parity_tls, policy_ground
from harness.probes.parity_tls import Door
from harness.registry import service_program

ISSUE_WITHIN_S = 30


def prove(platform: Platform, arm: Arm, workspace: Path) -> tuple[Parity, ...]:
    """Every check, on the two proving grounds. EnvironmentFailure if one can't be launched or the issuer fails."""
    topology = ground.topology(service_program())
    plan = arm.plan(topology, ground.TRAFFIC, platform.facts)
    with platform.launch(plan, workspace / "ground") as deployment:
        outsider = stranger(plan, workspace / "stranger") if "mtls" in arm.features else None
        proofs = _inbound(deployment, arm.features, outsider) + parity_calls.prove(deployment, arm.features)
    return proofs + policies(platform, arm, workspace / "policies")


def policies(platform: Platform, arm: Arm, workspace: Path) -> tuple[Parity, ...]:
    """What an arm does beside forwarding, on a ground of its own, whose settings would be in the way of the other proofs."""
    topology = policy_ground.topology(service_program())
    plan = policy_ground.with_outsider(arm.plan(topology, policy_ground.TRAFFIC, platform.facts))
    if not parity_policies.applies(plan):
        return ()
    with platform.launch(plan, workspace) as deployment:
        return parity_policies.prove(deployment, arm.features)


def quick(deployment: Deployment, features: frozenset[str]) -> tuple[Parity, ...]:
    """Only who is let in and who answers; a few milliseconds per sidecar."""
    return _inbound(deployment, features, None)


def failed(proofs: tuple[Parity, ...]) -> tuple[str, ...]:
    """Reasons for which an arm's numbers may not be used: one sentence per check that didn't pass."""
    return tuple(f"{proof.check}: {proof.seen}" for proof in proofs if not proof.passed)


def _inbound(deployment: Deployment, features: frozenset[str], stranger: Path | None) -> tuple[Parity, ...]:
    doors = tuple(_doors(deployment))
    if not doors:
        return parity_tls.closed(tuple(_app_hosts(deployment)))
    if "mtls" in features:
        return parity_tls.strict(doors, deployment.identity_dir(PROBE_IDENTITY), stranger)
    return parity_tls.open_to_all(doors)


def _doors(deployment: Deployment) -> Iterator[Door]:
    for unit in deployment.plan.units:
        if unit.role == "sidecar":
            yield Door(unit.name, deployment.inbound(unit.host), unit.service, unit.identity)


def _app_hosts(deployment: Deployment) -> Iterator[Door]:
    for unit in deployment.plan.units:
        if unit.role == "app":
            yield Door(unit.name, (deployment.address(unit.host), INBOUND_PORT), unit.service, "")


def stranger(plan: Plan, folder: Path) -> Path:
    """The probes' identity once more, from an authority that nobody in the mesh knows."""
    if plan.issuer is None:
        raise EnvironmentFailure("the plan has mTLS but names no issuer: its mesh adapter has to set Plan.issuer")
    spiffe_id = next(identity.spiffe_id for identity in plan.identities if identity.name == PROBE_IDENTITY)
    issuer = command(plan.issuer.program)
    authority = str(folder / "authority")
    _run((*issuer, "authority", authority))
    _run((*issuer, "issue", "--authority", authority, "--out", str(folder), f"{PROBE_IDENTITY}={spiffe_id}"))
    return folder / PROBE_IDENTITY


def _run(words: tuple[str, ...]) -> None:
    try:
        subprocess.run(words, capture_output=True, text=True, timeout=ISSUE_WITHIN_S, check=True)
    except subprocess.CalledProcessError as error:
        last = "".join(error.stderr.strip().splitlines()[-1:])
        raise EnvironmentFailure(f"the issuer of identities failed: {last or error.returncode}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailure(f"the issuer of identities can't run: {error}") from error
