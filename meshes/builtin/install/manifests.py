"""Everything that the mesh is in a cluster, as Kubernetes objects. Pure.

Rights, and why: reading Services, EndpointSlices, Pods and ConfigMaps of all namespaces (endpoints, who has a sidecar, settings);
TokenReviews (who a sidecar is); its own Secret with the CA, its own Service, and the caBundle of its own webhook configuration.
"""

import json
from dataclasses import dataclass
from typing import Any

from harness.model.plan import ADMIN_PORT, CONTROL_PORT
from meshes.builtin.control.kubernetes_authority import SECRET
from meshes.builtin.injection.labels import INJECT, REVISION

Json = dict[str, Any]
NAMESPACE = "hoptax-system"
NAME = "hoptax-control"
CONTAINER = "control"
WEBHOOK_PORT = 15017
XDS_PORT = 15012
CONTROL_UID = 10001
PROXY_UID = 10002
FOLDER = "/var/run/hoptax"
SELECTED_BY = "app.kubernetes.io/name"
LEAN = ("-OO", "-X", "frozen_modules=on")
WEBHOOK_S = 5


@dataclass(frozen=True, slots=True)
class Installation:
    """`strict_injection`: pods of labelled namespaces don't start while the webhook is away; else they start without a sidecar.

    With `envoy_image`, pods with the label `hoptax.dev/sidecar=envoy` get an Envoy, and the control plane speaks xDS. Several installations
    stand side by side by `name` and `revision`; of these only one may take the namespaces `by_label`, without a revision.
    """

    image: str
    replicas: int = 1
    strict_injection: bool = True
    envoy_image: str = ""
    revision: str = "default"
    name: str = NAME
    by_label: bool = True

    @property
    def labels(self) -> dict[str, str]:
        """On everything of it; the first is also how its pods are found."""
        return {SELECTED_BY: self.name, "app.kubernetes.io/managed-by": "hoptax"}


def objects(installation: Installation) -> list[Json]:
    """In the order in which they are to be applied; the first is the namespace."""
    return [
        namespace(),
        _named(installation, "v1", "ServiceAccount"),
        *_rights(installation),
        _service(installation),
        _webhook(installation),
        _deployment(installation),
        *([_budget(installation)] if installation.replicas > 1 else []),
    ]


def namespace() -> Json:
    """The one of all installations."""
    labels = {"app.kubernetes.io/managed-by": "hoptax", "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def _named(installation: Installation, version: str, kind: str, *, namespaced: bool = True) -> Json:
    metadata: Json = {"name": installation.name, "labels": installation.labels}
    if namespaced:
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _rights(installation: Installation) -> list[Json]:
    group, name = "rbac.authorization.k8s.io", installation.name
    seen = ["get", "list", "watch"]
    cluster = [
        {"apiGroups": [""], "resources": ["services", "pods", "configmaps"], "verbs": seen},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": seen},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["mutatingwebhookconfigurations"],
            "resourceNames": [name],
            "verbs": ["get", "patch"],
        },
    ]
    own = [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]
    made = []
    for kind, rules, namespaced in (("ClusterRole", cluster, False), ("Role", own, True)):
        made += [
            _named(installation, f"{group}/v1", kind, namespaced=namespaced) | {"rules": rules},
            _named(installation, f"{group}/v1", f"{kind}Binding", namespaced=namespaced)
            | {
                "roleRef": {"apiGroup": group, "kind": kind, "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
            },
        ]
    return made


def _service(installation: Installation) -> Json:
    ports = {"watch": CONTROL_PORT, "xds": XDS_PORT, "webhook": WEBHOOK_PORT}
    return _named(installation, "v1", "Service") | {
        "spec": {
            "selector": {SELECTED_BY: installation.name},
            "ports": [{"name": name, "port": port, "targetPort": port} for name, port in ports.items()],
        }
    }


def _webhook(installation: Installation) -> Json:
    """One for the label of namespaces and one for their revision; a namespace with both is asked for once, since the other finds nothing."""
    chosen = {"inject": {INJECT: "enabled"}, "revision": {REVISION: installation.revision}}
    if not installation.by_label:
        del chosen["inject"]
    path = {"name": installation.name, "namespace": NAMESPACE, "path": "/inject", "port": WEBHOOK_PORT}
    version, kind = "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"
    return _named(installation, version, kind, namespaced=False) | {
        "webhooks": [
            {
                "name": f"{name}.hoptax.dev",
                "clientConfig": {"service": path},
                "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
                "namespaceSelector": {"matchLabels": labels},
                "objectSelector": {"matchExpressions": [{"key": INJECT, "operator": "NotIn", "values": ["disabled"]}]},
                "failurePolicy": "Fail" if installation.strict_injection else "Ignore",
                "reinvocationPolicy": "IfNeeded",
                "sideEffects": "None",
                "timeoutSeconds": WEBHOOK_S,
                "admissionReviewVersions": ["v1"],
            }
            for name, labels in chosen.items()
        ]
    }


def _deployment(installation: Installation) -> Json:
    selector = {SELECTED_BY: installation.name}
    return _named(installation, "apps/v1", "Deployment") | {
        "spec": {
            "replicas": installation.replicas,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": installation.labels},
                "spec": {
                    "serviceAccountName": installation.name,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": CONTROL_UID,
                        "runAsGroup": CONTROL_UID,
                        "fsGroup": CONTROL_UID,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(installation)],
                    "volumes": [{"name": "keys", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}],
                },
            },
        }
    }


def _container(installation: Installation) -> Json:
    return {
        "name": CONTAINER,
        "image": installation.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", *LEAN, "-m", "meshes.builtin.control"],
        "args": ["--kubernetes", json.dumps(settings(installation))],
        "ports": [{"name": "watch", "containerPort": CONTROL_PORT}, {"name": "webhook", "containerPort": WEBHOOK_PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": ADMIN_PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "keys", "mountPath": FOLDER}],
    }


def settings(installation: Installation) -> Json:
    """The control plane's argument, as `meshes.builtin.control.kubernetes_settings` reads it."""
    images = {"builtin": installation.image}
    document: Json = {
        "namespace": NAMESPACE,
        "service": installation.name,
        "webhook": installation.name,
        "port": CONTROL_PORT,
        "webhook_port": WEBHOOK_PORT,
        "admin_port": ADMIN_PORT,
        "uid": PROXY_UID,
        "images": images,
        "folder": f"{FOLDER}/keys",
    }
    if installation.envoy_image:
        images["envoy"] = installation.envoy_image
        document["xds_port"] = XDS_PORT
    return document


def _budget(installation: Installation) -> Json:
    return _named(installation, "policy/v1", "PodDisruptionBudget") | {
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {SELECTED_BY: installation.name}}}
    }
