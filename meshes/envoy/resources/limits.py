"""The shared traffic settings in Envoy's words, so that listeners and clusters state the same limits. Pure."""

from typing import Any

from meshes.builtin.snapshot import Limits, Timeouts

Json = dict[str, Any]


def duration(seconds: float) -> str:
    """A protobuf duration in JSON."""
    return f"{seconds:.3f}s"


def percent(share: float) -> Json:
    """A share from 0 to 1 as `envoy.type.v3.Percent`."""
    return {"value": round(share * 100, 6)}


def http_limits(timeouts: Timeouts, limits: Limits) -> Json:
    """Common to both directions (`common_http_protocol_options`)."""
    return {"idle_timeout": duration(timeouts.idle_s), "max_headers_count": limits.max_headers}


def threshold(limits: Limits) -> Json:
    """What one cluster may have at once. Envoy's own defaults happen to be 1024 of each, and 3 retries."""
    return {
        "priority": "DEFAULT",
        "max_connections": limits.max_connections,
        "max_pending_requests": limits.max_requests,
        "max_requests": limits.max_requests,
        "max_retries": limits.max_requests,
    }
