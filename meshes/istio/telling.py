"""What a sidecar tells of requests, in Istio's words: providers of the mesh as a whole, and a Telemetry per arm. Pure.

Providers are there in every arm and cost nothing; a Telemetry names those that an arm uses, or none.
"""

from collections.abc import Iterator, Mapping

from harness.model.mesh import Traffic
from meshes.builtin.policies import Tracing
from meshes.envoy.resources.telling import LINE
from meshes.envoy.resources.telling import tracing as envoy_tracing
from meshes.istio.filters import managed
from meshes.istio.names import NAMESPACE
from meshes.istio.resources import FILTERS, TELEMETRY, Json, manifest, resource

COLLECTOR_NAME = "hoptax-nowhere"
COLLECTOR_HOST = f"{COLLECTOR_NAME}.{NAMESPACE}.svc.cluster.local"
COLLECTOR_PORT = 4317
COLLECTOR_CLUSTER = f"outbound|{COLLECTOR_PORT}||{COLLECTOR_HOST}"
SPANS = "hoptax-spans"
TRACED: Json = {
    "providers": [{"name": SPANS}],
    "randomSamplingPercentage": 100,
    "enableIstioTags": False,
    "useRequestIdForTraceSampling": False,
}
"""Every request is told to the tracer, whose sampler decides. Istio's tracer has no sampler that heeds the caller's decision: left alone
it takes it back. So the tracer is replaced by that of the arm `envoy`."""
LOGS = {"CLIENT": "outbound", "SERVER": "inbound"}
"""Istio's word for a side → ours."""


def _log(direction: str) -> Mapping[str, str]:
    provider = {"name": log_name(direction), "envoyFileAccessLog.path": "/dev/stdout"}
    fields = LINE | {"direction": direction}
    return provider | {f"envoyFileAccessLog.logFormat.labels.{field}": told for field, told in fields.items()}


def log_name(direction: str) -> str:
    """The provider of the access log of one direction: a line can't tell by itself on which side it was written."""
    return f"hoptax-{direction}"


PROVIDERS: tuple[Mapping[str, str], ...] = (
    *(_log(direction) for direction in LOGS.values()),
    {"name": SPANS, "opentelemetry.service": COLLECTOR_HOST, "opentelemetry.port": str(COLLECTOR_PORT)},
)
"""MeshConfig's extension providers, as paths and values."""

COLLECTOR = manifest(
    "istio-nowhere",
    [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": COLLECTOR_NAME, "namespace": NAMESPACE},
            "spec": {"ports": [{"name": "grpc", "port": COLLECTOR_PORT, "appProtocol": "grpc"}]},
        }
    ],
    "experiment",
    NAMESPACE,
)
"""The tracer insists on a collector, so it gets one without endpoints, as in the arm `envoy`: spans that are sampled are dropped."""


def resources(features: frozenset[str], traffic: Traffic) -> Iterator[Json]:
    """One Telemetry for the namespace, which also says what is off."""
    logging = _logging() if "access-log" in features else [{"disabled": True}]
    tracing = TRACED if "tracing" in features else {"disableSpanReporting": True}
    yield resource(TELEMETRY, "Telemetry", "default", {"accessLogging": logging, "tracing": [tracing]})
    if "tracing" in features:
        tracer = managed(
            "ANY", envoy_tracing("${namespace}", Tracing(traffic.policies.tracing.sampled_share), COLLECTOR_CLUSTER)
        )
        yield resource(FILTERS, "EnvoyFilter", "sampling", {"configPatches": [tracer]})


def _logging() -> list[Json]:
    return [{"match": {"mode": mode}, "providers": [{"name": log_name(direction)}]} for mode, direction in LOGS.items()]
