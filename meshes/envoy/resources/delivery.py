"""How an Envoy gets what may change while it runs: all in one file, or each kind apart from its control plane (ADS). Pure.

Listeners and clusters are the same either way; they differ in where endpoints, routes and certificates come from.
"""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

OWN, TRUSTED = "own", "trusted"
"""Names of an Envoy's secrets: its certificate with the key, and the roots to verify others by."""
FROM_ADS: Json = {"ads": {}, "resource_api_version": "V3"}


@dataclass(frozen=True, slots=True)
class Files:
    """Everything in the file it starts with; certificates lie in `folder` (`cert.pem`, `key.pem`, `ca.pem`)."""

    folder: str

    def endpoints(self, assignment: Json) -> Json:
        """Of a cluster."""
        return {"type": "STATIC", "load_assignment": assignment}

    def routes(self, table: Json) -> Json:
        """Of a connection manager."""
        return {"route_config": table}

    def certificate(self) -> Json:
        """Of a TLS context."""
        chain, key = f"{self.folder}/cert.pem", f"{self.folder}/key.pem"
        return {"tls_certificates": [{"certificate_chain": {"filename": chain}, "private_key": {"filename": key}}]}

    def validation(self, names: list[Json]) -> Json:
        """Of a TLS context: the peer has to have one of the names."""
        trusted = {"filename": f"{self.folder}/ca.pem"}
        return {"validation_context": {"trusted_ca": trusted, "match_typed_subject_alt_names": names}}


@dataclass(frozen=True, slots=True)
class Ads:
    """Endpoints, routes and secrets by name, over the one stream that clusters and listeners come on."""

    def endpoints(self, assignment: Json) -> Json:  # noqa: ARG002 - travels as a resource of its own
        """Of a cluster."""
        return {"type": "EDS", "eds_cluster_config": {"eds_config": FROM_ADS}}

    def routes(self, table: Json) -> Json:
        """Of a connection manager."""
        return {"rds": {"config_source": FROM_ADS, "route_config_name": table["name"]}}

    def certificate(self) -> Json:
        """Of a TLS context."""
        return {"tls_certificate_sds_secret_configs": [{"name": OWN, "sds_config": FROM_ADS}]}

    def validation(self, names: list[Json]) -> Json:
        """Of a TLS context: the peer has to have one of the names."""
        return {
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": names},
                "validation_context_sds_secret_config": {"name": TRUSTED, "sds_config": FROM_ADS},
            }
        }


Delivery = Files | Ads
