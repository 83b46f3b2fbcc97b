"""From a pod at its admission to the JSON patch (RFC 6902) that adds the sidecar. Pure, and idempotent: a pod that has it gets nothing.

Two init containers come first: the one that writes the rules of capture and ends, then the sidecar (`restartPolicy: Always`), which is
ready before the pod's own init containers and containers start, and ends after them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.model.plan import FRONT_PORT, INBOUND_PORT, METRICS_PORT, OBSERVE_PORT, OUTBOUND_PORT
from meshes.builtin.injection.labels import (
    AUDIENCE,
    EXCLUDE_INBOUND,
    EXCLUDE_OUTBOUND,
    INJECT,
    INJECTED,
    SIDECAR,
)
from meshes.sidecar_template import CONTAINER, PodFacts, SidecarTemplate

Json = dict[str, Any]
CAPTURE = "hoptax-capture"
NEVER_IN = (FRONT_PORT, OBSERVE_PORT, METRICS_PORT)
NEVER_OUT = (FRONT_PORT, OBSERVE_PORT)
"""The ports of the instrument, which no mesh captures, and the sidecar's own window for probes and scrapers."""
MOST_PORTS = 32


class NotInjectedError(ValueError):
    """The pod asks for something that can't be given; the text says what."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What the webhook knows: the facts of every pod and, by the sidecar's name, template, image and the control plane's port.

    The image of `default` is also the one that writes the rules of capture.
    """

    templates: Mapping[str, SidecarTemplate]
    facts: PodFacts
    images: Mapping[str, str]
    ports: Mapping[str, int]
    default: str = "builtin"


def patch(pod: Json, injection: Injection) -> list[Json]:
    """The operations; none if the pod opted out, shares its node's network, or has the sidecar. NotInjectedError says why not."""
    metadata, spec = pod.get("metadata") or {}, pod["spec"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    present = {each["name"] for each in (*(spec.get("initContainers") or ()), *spec["containers"])}
    if labels.get(INJECT) == "disabled" or spec.get("hostNetwork") or CONTAINER in present:
        return []
    kind = labels.get(SIDECAR, injection.default)
    if kind not in injection.templates:
        raise NotInjectedError(f"label {SIDECAR} is {kind!r}: have {', '.join(sorted(injection.templates))}")
    template = injection.templates[kind]
    account = spec.get("serviceAccountName") or "default"
    facts = replace(
        injection.facts,
        name="$(POD_NAME).$(POD_NAMESPACE)",
        service=account,
        image=injection.images[kind],
        control=(injection.facts.control[0], injection.ports[kind]),
    )
    first = [_capture(injection, annotations), template.container(facts)]
    volumes = [template.volume(AUDIENCE), *template.volumes]
    return [
        *_merged("/metadata/labels", metadata.get("labels"), {INJECTED: "true", SIDECAR: kind}),
        *_merged("/metadata/annotations", metadata.get("annotations"), template.annotations()),
        _whole("/spec/initContainers", spec.get("initContainers"), [*first, *(spec.get("initContainers") or ())]),
        _whole("/spec/volumes", spec.get("volumes"), [*(spec.get("volumes") or ()), *volumes]),
    ]


def _whole(path: str, former: object, value: object) -> Json:
    return {"op": "add" if former is None else "replace", "path": path, "value": value}


def _merged(path: str, former: Mapping[str, str] | None, added: Mapping[str, str]) -> list[Json]:
    return [_whole(path, former, {**(former or {}), **added})] if added else []


def _capture(injection: Injection, annotations: Mapping[str, str]) -> Json:
    wanted = {
        "inbound": INBOUND_PORT,
        "outbound": OUTBOUND_PORT,
        "uid": injection.facts.uid,
        "exclude_inbound": [*NEVER_IN, *_ports(annotations, EXCLUDE_INBOUND)],
        "exclude_outbound": [*NEVER_OUT, *_ports(annotations, EXCLUDE_OUTBOUND)],
    }
    return {
        "name": CAPTURE,
        "image": injection.images[injection.default],
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "meshes.builtin.injection"],
        "args": [json.dumps(wanted)],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [],
    }


def _ports(annotations: Mapping[str, str], name: str) -> list[int]:
    words = [word.strip() for word in annotations.get(name, "").split(",") if word.strip()]
    if len(words) > MOST_PORTS or not all(
        word.isascii() and word.isdigit() and 0 < int(word) < 65536 for word in words
    ):
        raise NotInjectedError(
            f"annotation {name} is {annotations[name]!r}: write at most {MOST_PORTS} ports, as in 9000,9001"
        )
    return sorted({int(word) for word in words})


def warnings(pod: Json) -> list[str]:
    """Sentences for whoever applies the pod: the kubelet has no certificate, so its probes fail on captured ports under strict mTLS."""
    excluded = {*NEVER_IN, *_ports((pod.get("metadata") or {}).get("annotations") or {}, EXCLUDE_INBOUND)}
    return [
        f"hoptax: {each['name']}.{kind} asks a captured port: exclude it by the annotation {EXCLUDE_INBOUND}"
        for each in pod["spec"]["containers"]
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
        if _probed(each, kind) not in (None, *excluded)
    ]


def _probed(container: Json, kind: str) -> int | None:
    """The port that a probe asks; names are those of the container's ports."""
    probe = container.get(kind) or {}
    port = (probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}).get("port")
    named = {each.get("name"): each["containerPort"] for each in container.get("ports") or ()}
    return port if port is None or isinstance(port, int) else named.get(port, 0)
