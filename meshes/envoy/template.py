"""The Envoy sidecar as a container for the injection webhook (label `hoptax.dev/sidecar=envoy`). Pure.

Everything it needs to find its control plane stands in its arguments; what changes comes over xDS. The admin interface is on loopback
only; probes and scrapers see `/ready` and the metrics at the metrics port.
"""

import json
from typing import Any

from harness.model.plan import ADMIN_PORT, METRICS_PORT
from meshes.builtin.snapshot import Endpoint
from meshes.envoy import ADS_ARGS, LOG_ARGS
from meshes.envoy.bootstrap import Joining, dynamic, token_secret
from meshes.sidecar_template import (
    CONTAINER,
    TOKEN_FILE,
    TOKEN_FOLDER,
    TOKEN_VOLUME,
    PodFacts,
    SidecarTemplate,
)

Json = dict[str, Any]

LOOPBACK = "127.0.0.1"
TOKEN_SECRET = "envoy-token.json"  # noqa: S105 - the name of a file
PROBE: Json = {"httpGet": {"path": "/ready", "port": METRICS_PORT}, "periodSeconds": 1, "timeoutSeconds": 1}
START_WITHIN_S = 60
LOCKED: Json = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""As the pod security standard `restricted` asks."""


def container(facts: PodFacts) -> Json:
    """A native sidecar: the app starts after it is ready, and it ends after the app."""
    return {
        "name": CONTAINER,
        "image": facts.image,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "command": ["envoy"],
        "args": ["--config-yaml", json.dumps(_bootstrap(facts)), *ADS_ARGS, *(LOG_ARGS if facts.access_log else ())],
        "env": list(facts.environment),
        "ports": [{"name": "hoptax-metrics", "containerPort": METRICS_PORT}],
        "startupProbe": PROBE | {"failureThreshold": START_WITHIN_S},
        "resources": {kind: dict(amounts) for kind, amounts in facts.resources.items()},
        "securityContext": LOCKED | {"runAsUser": facts.uid, "runAsGroup": facts.uid},
        "volumeMounts": [{"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": True}],
    }


def _bootstrap(facts: PodFacts) -> Json:
    joining = Joining(
        name=facts.name,
        service=facts.service,
        control=Endpoint(*facts.control),
        control_id=facts.control_id,
        ca={"inline_string": facts.ca_pem},
        token_secret=f"{TOKEN_FOLDER}/{TOKEN_SECRET}",
    )
    return dynamic(joining, Endpoint(LOOPBACK, ADMIN_PORT), METRICS_PORT)


TEMPLATE = SidecarTemplate(container, {TOKEN_SECRET: json.dumps(token_secret({"filename": TOKEN_FILE}))})
"""What the webhook is given."""
