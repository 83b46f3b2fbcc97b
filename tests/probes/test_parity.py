"""Which proofs an arm owes: by its features and by what its plan runs."""

from pathlib import Path
from typing import cast

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.plan import PROBE_IDENTITY, Identity, Issuer, Plan, Unit
from harness.model.platform import Deployment
from harness.model.program import Program
from harness.model.run import Parity
from harness.probes import parity
from tests.probes.fake import APP, FakeDeployment, app

SIDECAR = Unit("a-0-sidecar", "sidecar", "a-0", APP, ports=(15006,), service="a")


def deployment(*units: Unit) -> Deployment:
    plan = Plan((*units, app("a-0")), entry_host="a-0")
    return cast("Deployment", FakeDeployment(plan, {"a-0": "127.86.7.98"}))


def test_without_a_sidecar_the_inbound_port_has_to_be_closed() -> None:
    (proof,) = parity.quick(deployment(), frozenset())

    assert (proof.check, proof.passed) == ("no sidecar: nobody listens on 15006", True)


def test_a_sidecar_that_does_not_answer_fails_the_proof() -> None:
    (proof,) = parity.quick(deployment(SIDECAR), frozenset())

    assert (proof.check, proof.passed) == ("plaintext accepted", False)
    assert "a-0-sidecar" in proof.seen


def test_reasons_name_the_check_and_what_was_seen() -> None:
    proofs = (Parity("one", passed=True, seen="x"), Parity("two", passed=False, seen="y"))

    assert parity.failed(proofs) == ("two: y",)


def test_a_plan_with_mtls_but_without_an_issuer_is_the_adapters_mistake(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="names no issuer"):
        parity.stranger(Plan((), entry_host="a-0"), tmp_path)


@pytest.mark.system
def test_an_issuer_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    identities = (Identity(PROBE_IDENTITY, "spiffe://hoptax.local/ns/default/sa/probe"),)
    plan = Plan((), entry_host="a-0", identities=identities, issuer=Issuer(Program("json-tool", module="json.tool")))

    with pytest.raises(EnvironmentFailure, match=r"issuer of identities failed: .*infile"):
        parity.stranger(plan, tmp_path)
