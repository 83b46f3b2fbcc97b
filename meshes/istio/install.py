"""How Istio is installed: by the vendor's own istioctl, with every setting of the mesh as a whole. Pure.

Nothing here depends on an arm: one installation serves them all, and the proving grounds. Hub and tag aren't set, because an
istioctl renders the images of its own version.
"""

from collections.abc import Mapping
from typing import Any

from harness.model.plan import Render
from harness.model.program import Program
from meshes.identity.names import TRUST_DOMAIN
from meshes.istio.names import NAMESPACE
from meshes.istio.resources import manifest
from meshes.istio.telling import PROVIDERS

ISTIOCTL = Program(
    name="istioctl",
    version_args=("version", "--remote=false"),
    hint="put istioctl on PATH (https://istio.io/latest/docs/setup/install/istioctl), or build it with its images: "
    "make istio-images",
)

MESH = {
    "trustDomain": TRUST_DOMAIN,
    "meshMTLS.minProtocolVersion": "TLSV1_3",
    "pathNormalization.normalization": "NONE",
    "h2UpgradePolicy": "DO_NOT_UPGRADE",
    "localityLbSetting.enabled": "false",
    "enableTracing": "false",
    "enablePrometheusMerge": "false",
    "discoverySelectors.[0].matchExpressions.[0].key": "app.kubernetes.io/managed-by",
    "discoverySelectors.[0].matchExpressions.[0].operator": "In",
    "discoverySelectors.[0].matchExpressions.[0].values.[0]": "hoptax",
}
"""Of MeshConfig: what the other arms have and Istio's defaults don't. Paths are normalised only where the arm has `authz`. istiod looks at
namespaces of hoptax's and no others: neither its costs nor its traces depend on what else is in the cluster."""

VALUES = {
    "telemetry.enabled": "false",
    "pilot.env.PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "pilot.env.PILOT_ENABLE_ALPN_FILTER": "false",
    "pilot.autoscaleEnabled": "false",
    "pilot.resources.requests.cpu": "50m",
    "pilot.resources.requests.memory": "128Mi",
    "global.proxy.resources.requests.cpu": "30m",
    "global.proxy.resources.requests.memory": "40Mi",
    "global.imagePullPolicy": "IfNotPresent",
}
"""Of the charts. No arm counts requests by peer, so neither do Istio's telemetry filters, and peers needn't exchange who they are;
every port states its protocol, so none is guessed. (An Envoy that isn't Istio's has none of these filters.) Requests are small
enough for two cores; none of them is a limit."""

_AUTHORITY_FILES = {
    "ca-cert.pem": "ca.pem",
    "ca-key.pem": "ca-key.pem",
    "root-cert.pem": "ca.pem",
    "cert-chain.pem": "ca.pem",
}
"""As istiod wants them in the Secret `cacerts` → in the folder of the experiment's authority."""


def _objects() -> tuple[dict[str, Any], ...]:  # Any: JSON values
    authority = {istio: f"${{authority.{ours}}}" for istio, ours in _AUTHORITY_FILES.items()}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "cacerts", "namespace": NAMESPACE},
            "type": "Opaque",
            "data": authority,
        },
    )


BEFORE = (manifest("istio-groundwork", _objects(), "experiment", NAMESPACE),)
"""istiod signs with the authority of the experiment, so that keys are of one kind in every arm and the probes' certificates are good."""


def _flags(prefix: str, settings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for path, value in settings.items() for word in ("--set", f"{prefix}{path}={value}"))


def _providers() -> dict[str, str]:
    """MeshConfig's list of providers; istioctl's paths name an element of a list by `.[n]`."""
    return {
        f"extensionProviders.[{n}].{path}": value
        for n, provider in enumerate(PROVIDERS)
        for path, value in provider.items()
    }


RENDER = Render(
    name="istio",
    program=ISTIOCTL,
    args=(
        *("manifest", "generate", "--set", "profile=minimal"),
        *_flags("meshConfig.", MESH | _providers()),
        *_flags("values.", VALUES),
    ),
    namespace=NAMESPACE,
    settled="deployment/istiod=condition=Available",
    within_s=120.0,
)
