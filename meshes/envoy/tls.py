"""TLS of one Envoy: strict mutual TLS 1.3 with SPIFFE identities, from files that the platform provides. Pure."""

from typing import Any

from meshes.identity.names import TRUST_DOMAIN, spiffe_id

Json = dict[str, Any]

TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."


def inbound_tls(host: str) -> Json:
    """Server side: any peer of the trust domain, and nobody without a certificate of the shared CA."""
    member = {"prefix": f"spiffe://{TRUST_DOMAIN}/"}
    return _socket("DownstreamTlsContext", common_tls_context=_common(host, member), require_client_certificate=True)


def upstream_tls(host: str, callee: str) -> Json:
    """Client side: the server's certificate has to carry exactly the callee's SPIFFE id."""
    return _socket("UpstreamTlsContext", common_tls_context=_common(host, {"exact": spiffe_id(callee)}))


def _common(host: str, peer: Json) -> Json:
    folder = f"${{identity.{host}}}"
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificates": [
            {
                "certificate_chain": {"filename": f"{folder}/cert.pem"},
                "private_key": {"filename": f"{folder}/key.pem"},
            }
        ],
        "validation_context": {
            "trusted_ca": {"filename": f"{folder}/ca.pem"},
            "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": peer}],
        },
    }


def _socket(context: str, **fields: object) -> Json:
    return {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": TLS + context, **fields}}
