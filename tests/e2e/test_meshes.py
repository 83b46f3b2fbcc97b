"""What every mesh does in a real cluster, each shown by traffic: sidecars carry the calls, strict mTLS, split, denied callers, retries, timeouts.

The proofs are those that go before every measurement: calls of a plain pod to captured ports, and calls from inside the caller's container.
"""

import pytest

from harness.model.mesh import Arm
from harness.model.run import Parity
from harness.probes import parity
from harness.trial import Bench

pytestmark = [pytest.mark.e2e, pytest.mark.system, pytest.mark.timeout(600)]

BY_TRAFFIC = {
    "calls go through the sidecars": ("identity: caller named to the app", "identity: forged header dropped"),
    "strict mTLS: a plain pod is refused": (
        "mtls: plaintext refused",
        "mtls: client without certificate refused",
        "mtls: client of another authority refused",
    ),
    "peers are let in": ("mtls: peer accepted", "identity: server certificate"),
    "split": ("split: canary gets its share",),
    "denied caller": ("authz: outsider refused", "authz: denied path refused", "authz: right callers served"),
    "retry": ("retries: failed tries repeated", "retries: no more than allowed", "retries: on another endpoint"),
    "timeout": ("timeout: cut at the entry", "timeout: cut by the sidecar", "retries: slow tries cut"),
}


@pytest.fixture(scope="module")
def proofs(bench: Bench, arm: Arm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parity]:
    return {proof.check: proof for proof in parity.prove(bench.platform, arm, tmp_path_factory.mktemp(arm.mesh.name))}


@pytest.mark.parametrize("what", BY_TRAFFIC)
def test_a_feature_is_shown_by_traffic(proofs: dict[str, Parity], what: str) -> None:
    for check in BY_TRAFFIC[what]:
        assert proofs[check].passed, f"{check}: {proofs[check].seen}"


def test_every_other_proof_holds_too(proofs: dict[str, Parity]) -> None:
    assert parity.failed(tuple(proofs.values())) == ()
