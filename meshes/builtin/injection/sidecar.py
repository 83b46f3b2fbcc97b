"""The built-in proxy as a container for the injection webhook. Pure."""

import json
from typing import Any

from harness.model.plan import METRICS_PORT
from meshes.builtin.snapshot import Endpoint
from meshes.identity.names import TRUST_DOMAIN
from meshes.sidecar_template import CONTAINER, TOKEN_FILE, TOKEN_FOLDER, TOKEN_VOLUME, PodFacts, SidecarTemplate

Json = dict[str, Any]
LEAN = ("-OO", "-E", "-X", "frozen_modules=on")
FOLDER_VOLUME = "hoptax-proxy"
FOLDER = "/var/run/hoptax"
START_WITHIN_S = 60
ASKED_EVERY_S = 0.05
READY = f"wget -q -O /dev/null http://127.0.0.1:{METRICS_PORT}/ready"
AWAITED = f"n=0; until {READY}; do n=$((n+1)); [ $n -lt {round(START_WITHIN_S / ASKED_EVERY_S)} ] || exit 1; sleep {ASKED_EVERY_S}; done"
"""The app starts when the hook that runs this is over. A startup probe would say the same a second later: kubelets probe once a second."""
DRAIN_S = 5.0
VOLUMES: tuple[Json, ...] = ({"name": FOLDER_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},)


def container(facts: PodFacts) -> Json:
    """A native sidecar; its key lies in memory for the moment between being made and being loaded."""
    return {
        "name": CONTAINER,
        "image": facts.image,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "command": ["python", *LEAN, "-m", "meshes.builtin.proxy"],
        "args": ["--inline", json.dumps(_bootstrap(facts)), FOLDER],
        "env": [*facts.environment],
        "ports": [{"name": "hoptax-metrics", "containerPort": METRICS_PORT}],
        "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", AWAITED]}}},
        "resources": {kind: dict(amounts) for kind, amounts in facts.resources.items()},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": facts.uid,
            "runAsGroup": facts.uid,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": True},
            {"name": FOLDER_VOLUME, "mountPath": FOLDER},
        ],
    }


def _bootstrap(facts: PodFacts) -> Json:
    """`$(…)` is filled in by the kubelet."""
    return {
        "name": facts.name,
        "pod_addresses": "$(POD_IPS)",
        "spiffe_id": f"spiffe://{TRUST_DOMAIN}/ns/$(POD_NAMESPACE)/sa/{facts.service}",
        "control": {"address": str(Endpoint(*facts.control)), "spiffe_id": facts.control_id},
        "ca_pem": facts.ca_pem,
        "token_file": TOKEN_FILE,
        "drain_s": DRAIN_S,
    }


TEMPLATE = SidecarTemplate(container, volumes=VOLUMES)
"""What the webhook is given."""
