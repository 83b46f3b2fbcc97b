"""TLS of one Envoy: strict mutual TLS 1.3 with SPIFFE identities. Where certificates come from is the delivery's affair. Pure."""

from collections.abc import Sequence
from typing import Any

from meshes.envoy.resources.delivery import Delivery

Json = dict[str, Any]

TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
TLS_1_3: Json = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


def inbound_tls(delivery: Delivery, trust_domain: str) -> Json:
    """Server side: any peer of the trust domain, and nobody without a certificate of the shared CA."""
    common = _common(delivery, [uri({"prefix": f"spiffe://{trust_domain}/"})])
    return socket("DownstreamTlsContext", common_tls_context=common, require_client_certificate=True)


def upstream_tls(delivery: Delivery, spiffe_ids: Sequence[str]) -> Json:
    """Client side: the server's certificate has to carry exactly one of the callee's SPIFFE ids."""
    names = [uri({"exact": each}) for each in spiffe_ids]
    return socket("UpstreamTlsContext", common_tls_context=_common(delivery, names))


def uri(matcher: Json) -> Json:
    """A URI name of a certificate."""
    return {"san_type": "URI", "matcher": matcher}


def socket(context: str, **fields: object) -> Json:
    """A TLS transport socket."""
    return {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": TLS + context, **fields}}


def _common(delivery: Delivery, names: list[Json]) -> Json:
    return {"tls_params": TLS_1_3, **delivery.certificate(), **delivery.validation(names)}
