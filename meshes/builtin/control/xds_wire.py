"""Between the values of the xDS machine and Envoy's protobuf messages. Pure; the home of protobuf.

Resources are JSON of Envoy's own v3 API, so a field or a type that Envoy doesn't have is an error here, before anything is sent.
"""

from functools import lru_cache
from importlib import import_module
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError

from meshes.builtin.control.xds import Answer, Asked, Kind

INSIDE = (
    "config.trace.v3.opentelemetry",
    "extensions.access_loggers.stream.v3.stream",
    "extensions.filters.http.rbac.v3.rbac",
    "extensions.filters.http.router.v3.router",
    "extensions.filters.listener.original_dst.v3.original_dst",
    "extensions.filters.network.http_connection_manager.v3.http_connection_manager",
    "extensions.filters.network.tcp_proxy.v3.tcp_proxy",
    "extensions.request_id.uuid.v3.uuid",
    "extensions.retry.host.previous_hosts.v3.previous_hosts",
    "extensions.retry.priority.previous_priorities.v3.previous_priorities_config",
    "extensions.tracers.opentelemetry.samplers.v3.parent_based_sampler",
    "extensions.tracers.opentelemetry.samplers.v3.trace_id_ratio_based_sampler",
    "extensions.transport_sockets.tls.v3.tls",
    "extensions.upstreams.http.v3.http_protocol_options",
)
"""Messages that stand inside resources as `Any`: they are found by name once they are imported."""
for inside in INSIDE:
    import_module(f"envoy.{inside}_pb2")

MESSAGES: dict[Kind, Any] = {  # Any: generated classes
    Kind.SECRET: secret_pb2.Secret,
    Kind.CLUSTER: cluster_pb2.Cluster,
    Kind.ENDPOINTS: endpoint_pb2.ClusterLoadAssignment,
    Kind.LISTENER: listener_pb2.Listener,
    Kind.ROUTES: route_pb2.RouteConfiguration,
}
URLS = {kind: f"type.googleapis.com/{message.DESCRIPTOR.full_name}" for kind, message in MESSAGES.items()}
KINDS = {url: kind for kind, url in URLS.items()}
METHOD = "StreamAggregatedResources"
SERVICE = discovery_pb2.DESCRIPTOR.package + ".AggregatedDiscoveryService"
PACKED = 4096
"""Resources that are kept ready: proxies of a service share most of theirs."""


class WrongRequestError(ValueError):
    """No request, or one for something that isn't served here."""


class ImpossibleResourceError(ValueError):
    """A resource that Envoy's API doesn't have: a fault of ours."""


def read(request: bytes) -> tuple[str, Asked]:
    """The client's name ("" after a stream's first request) and what it asks."""
    try:
        message = discovery_pb2.DiscoveryRequest.FromString(request)
    except DecodeError as error:
        raise WrongRequestError(f"that is no DiscoveryRequest: {error}") from error
    kind = KINDS.get(message.type_url)
    if kind is None:
        raise WrongRequestError(f"no resources of type {message.type_url!r:.120}: have {', '.join(KINDS)}")
    refused = message.error_detail.message or "refused" if message.HasField("error_detail") else ""
    return message.node.id, Asked(kind, tuple(message.resource_names), message.response_nonce, refused)


def write(answer: Answer) -> bytes:
    """A DiscoveryResponse."""
    message = discovery_pb2.DiscoveryResponse(
        version_info=answer.version,
        nonce=answer.nonce,
        type_url=URLS[answer.kind],
        resources=[packed(answer.kind, text) for text in answer.resources.values()],
    )
    return bytes(message.SerializeToString())


@lru_cache(PACKED)
def packed(kind: Kind, text: str) -> Any:  # Any: a protobuf Any
    """A resource of JSON as a message."""
    message = MESSAGES[kind]()
    try:
        Parse(text, message)
    except ParseError as error:
        raise ImpossibleResourceError(f"a resource of {kind.value} isn't in Envoy's API: {error}") from error
    return any_pb2.Any(type_url=URLS[kind], value=message.SerializeToString(deterministic=True))
