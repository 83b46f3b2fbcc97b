"""What a sidecar tells of requests: a line of JSON in its output, and a span of its own in the trace. Envoy's words, pure."""

from typing import Any

from meshes.builtin.policies import Tracing

Json = dict[str, Any]

LOG = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
TRACER = "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig"
SAMPLERS = "type.googleapis.com/envoy.extensions.tracers.opentelemetry.samplers.v3."
REQUEST_ID = "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig"
NOWHERE = "nowhere"
FLUSH_MS = 1000
"""Lines are written when there are 64 KiB of them, and so often; Envoy's own 10 s is too long to look for one."""
LINE = {
    "time": "%START_TIME(%s.%3f)%",
    "direction": "",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%",
    "host": "%REQ(:AUTHORITY)%",
    "status": "%RESPONSE_CODE%",
    "flag": "%RESPONSE_FLAGS%",
    "duration_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "endpoint": "%UPSTREAM_HOST%",
    "peer": "%DOWNSTREAM_PEER_URI_SAN%",
}
"""The fields of harness.model.policy.LOGGED."""


def access_log(direction: str) -> Json:
    """Of a connection manager: a line for every request, buffered."""
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": {"@type": LOG, "log_format": {"json_format": LINE | {"direction": direction}}},
    }


def tracing(service: str, settings: Tracing, collector: str = NOWHERE) -> Json:
    """Of a connection manager: W3C trace context by the OpenTelemetry tracer. A trace that comes in keeps its own sampling.

    The tracer insists on a collector, so it gets a cluster without endpoints (`nowhere`, unless it is told another): spans that are sampled are dropped. Nobody here
    has a request id, by which Envoy would draw who is sampled, so that is left to the tracer.
    """
    exporter = {"http_uri": {"uri": "http://nowhere/v1/traces", "cluster": collector, "timeout": "0.250s"}}
    tracer = {"@type": TRACER, "service_name": service, "http_service": exporter, "sampler": _sampler(settings)}
    return {
        "tracing": {"provider": {"name": "envoy.tracers.opentelemetry", "typed_config": tracer}},
        "request_id_extension": {
            "typed_config": {
                "@type": REQUEST_ID,
                "pack_trace_reason": False,
                "use_request_id_for_trace_sampling": False,
            }
        },
    }


def _sampler(settings: Tracing) -> Json:
    share = {"numerator": round(settings.sampled_share * 1e6), "denominator": "MILLION"}
    drawn = {
        "name": "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        "typed_config": {"@type": f"{SAMPLERS}TraceIdRatioBasedSamplerConfig", "sampling_percentage": share},
    }
    return {
        "name": "envoy.tracers.opentelemetry.samplers.parent_based",
        "typed_config": {"@type": f"{SAMPLERS}ParentBasedSamplerConfig", "wrapped_sampler": drawn},
    }


def nowhere() -> Json:
    """The cluster of the collector that isn't there."""
    return {"name": NOWHERE, "type": "STATIC", "load_assignment": {"cluster_name": NOWHERE}}
