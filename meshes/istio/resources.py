"""Kubernetes objects as values, and manifests of them. JSON, which is YAML: what is written needs no library. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from harness.model.plan import Lifetime, Manifest

Json = dict[str, Any]  # Any: JSON values

NETWORKING = "networking.istio.io/v1"
FILTERS = "networking.istio.io/v1alpha3"
SECURITY = "security.istio.io/v1"
TELEMETRY = "telemetry.istio.io/v1"


def resource(version: str, kind: str, name: str, spec: Json) -> Json:
    """An object with a spec, in the launch's namespace."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def manifest(name: str, objects: Iterable[Json], lifetime: Lifetime = "trial", namespace: str = "") -> Manifest:
    """The objects as one stream of documents."""
    return Manifest(name, "---\n".join(json.dumps(each, indent=1) + "\n" for each in objects), lifetime, namespace)
