"""The settings of one sidecar: ports that stay outside, one worker, and headers as in the other arms."""

import json
from typing import Any

from meshes.istio.pods import annotations
from tests.meshes.istio.arms import EVERYTHING


def config(*features: str) -> dict[str, Any]:  # Any: JSON values
    found: dict[str, Any] = json.loads(dict(annotations(frozenset(features), EVERYTHING))["proxy.istio.io/config"])
    return found


def test_the_front_door_and_the_observe_port_are_not_captured() -> None:
    told = dict(annotations(frozenset(), EVERYTHING))

    assert told["traffic.sidecar.istio.io/excludeInboundPorts"] == "8081,8090"
    assert told["sidecar.istio.io/rewriteAppHTTPProbers"] == "false"


def test_one_worker_and_keys_like_those_of_the_other_arms() -> None:
    told = config()

    assert told["concurrency"] == 1
    assert told["proxyMetadata"] == {
        "ISTIO_META_IDLE_TIMEOUT": "7.000s",
        "ECC_SIGNATURE_ALGORITHM": "ECDSA",
        "ECC_CURVE": "P256",
    }


def test_no_header_of_the_sidecars_own_but_the_callers_identity() -> None:
    plain, secured = config()["proxyHeaders"], config("mtls")["proxyHeaders"]

    for header in ("requestId", "attemptCount", "server", "envoyDebugHeaders"):
        assert plain[header] == {"disabled": True}
    assert (plain["forwardedClientCert"], plain["setCurrentClientCertDetails"]["uri"]) == ("SANITIZE", False)
    assert (secured["forwardedClientCert"], secured["setCurrentClientCertDetails"]["uri"]) == ("SANITIZE_SET", True)
