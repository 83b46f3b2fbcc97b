"""An arm that is wrong in many ways at once: every proof that should notice one of them does, and no other is disturbed."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.model.mesh import Arm
from harness.model.plan import File, Plan, Unit
from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from harness.probes import parity
from harness.registry import mesh

Json = dict[str, Any]  # Any: JSON values


def careless(plan: Plan) -> Plan:
    """Every Envoy of the plan without care: no client certificates, own retries and timeouts, a connection per request …"""
    return replace(plan, units=tuple(_edited(unit) if unit.role == "sidecar" else unit for unit in plan.units))


def _edited(unit: Unit) -> Unit:
    document: Json = json.loads(unit.files[0].content)
    outbound, inbound = (each["filter_chains"][0] for each in document["static_resources"]["listeners"])
    server = inbound["transport_socket"]["typed_config"]
    server["require_client_certificate"] = False
    del server["common_tls_context"]["validation_context"]
    inbound["filters"][0]["typed_config"]["forward_client_cert_details"] = "ALWAYS_FORWARD_ONLY"
    outbound["filters"][0]["typed_config"]["forward_client_cert_details"] = "ALWAYS_FORWARD_ONLY"
    for host in outbound["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]:
        route = host["routes"][0]["route"]
        route |= {"timeout": "15s", "retry_policy": {"retry_on": "5xx", "num_retries": 1}}
    for cluster in document["static_resources"]["clusters"]:
        one_request_each(cluster)
        del cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][1:]
    return replace(unit, files=(File("envoy.json", json.dumps(document)),))


def one_request_each(cluster: Json) -> None:
    (options,) = cluster["typed_extension_protocol_options"].values()
    options["common_http_protocol_options"]["max_requests_per_connection"] = 1


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[ProcessPlatform]:
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(tmp_path / "units") as supervised:
        yield ProcessPlatform(supervised, addresses, placement, tmp_path / "authority")


@pytest.mark.system
def test_every_careless_setting_is_noticed(platform: ProcessPlatform, tmp_path: Path) -> None:
    arm = Arm(mesh("envoy"), frozenset({"mtls"}), "careless", careless)

    proofs = parity.prove(platform, arm, tmp_path / "proof")

    assert {proof.check for proof in proofs if not proof.passed} == {
        "mtls: client without certificate refused",
        "mtls: client of another authority refused",
        "identity: caller named to the app",
        "identity: forged header dropped",
        "timeout: cut by the sidecar",
        "retries: none after an answer 500",
        "keep-alive: connections held",
        "balancing: round robin",
        "retries: off, each call is made once",
        "outlier-ejection: off, failing endpoint keeps its share",
        "split: off, the last gets no other share",
    }
