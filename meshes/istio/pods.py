"""What a pod says of its sidecar: that it wants one, which ports stay outside, and the settings of that one proxy. Pure."""

import json
from typing import Any

from harness.model.mesh import Traffic
from harness.model.plan import ADMIN_PORT, FRONT_PORT, INBOUND_PORT, METRICS_PORT, OBSERVE_PORT, OUTBOUND_PORT
from meshes.envoy.resources.limits import duration

LABELS = (("sidecar.istio.io/inject", "true"),)
"""A label of the namespace would put sidecars beside the load generator and the agent too."""
RELAY_LABELS = (("sidecar.istio.io/inject", "false"), ("security.istio.io/tlsMode", "istio"))
"""Istio's own sign that a pod's port takes mutual TLS; its webhook sets it on pods that it gave a sidecar."""
READY_PORT = 15021
"""Of the agent beside Envoy; no rule captures it."""
PORTS = (ADMIN_PORT, OUTBOUND_PORT, INBOUND_PORT, METRICS_PORT, READY_PORT)
WORKERS = 1
"""A sidecar serves one replica, as in every arm; Istio's own default goes by the CPU limit."""
QUIET = {"disabled": True}


def annotations(features: frozenset[str], traffic: Traffic) -> tuple[tuple[str, str], ...]:
    """The same for every app pod of an arm. The kubelet's probes go to a port that isn't captured, so the agent needn't relay them."""
    return (
        ("traffic.sidecar.istio.io/excludeInboundPorts", f"{FRONT_PORT},{OBSERVE_PORT}"),
        ("sidecar.istio.io/nativeSidecar", "true"),
        ("sidecar.istio.io/rewriteAppHTTPProbers", "false"),
        ("sidecar.istio.io/proxyCPU", "30m"),
        ("sidecar.istio.io/proxyMemory", "40Mi"),
        ("proxy.istio.io/config", json.dumps(proxy_config(features, traffic))),
    )


def proxy_config(features: frozenset[str], traffic: Traffic) -> dict[str, Any]:  # Any: JSON values
    """Istio's ProxyConfig: one worker, keys of the kind the other arms have, and no headers of the sidecar's own."""
    return {
        "concurrency": WORKERS,
        "terminationDrainDuration": "1s",
        "proxyMetadata": {
            "ISTIO_META_IDLE_TIMEOUT": duration(traffic.idle_timeout_s),
            "ECC_SIGNATURE_ALGORITHM": "ECDSA",
            "ECC_CURVE": "P256",
        },
        "proxyHeaders": {
            "forwardedClientCert": "SANITIZE_SET" if "mtls" in features else "SANITIZE",
            "setCurrentClientCertDetails": {"subject": False, "dns": False, "uri": "mtls" in features},
            "requestId": QUIET,
            "attemptCount": QUIET,
            "server": QUIET,
            "envoyDebugHeaders": QUIET,
        },
    }
