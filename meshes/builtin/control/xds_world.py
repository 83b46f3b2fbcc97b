"""From a proxy's compiled snapshot and its certificate to the resources of its Envoy, kind by kind, as JSON texts. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from meshes.builtin.control.xds import Kind, Resources, World
from meshes.builtin.snapshot import Snapshot
from meshes.envoy.resources.clusters import assignments, clusters
from meshes.envoy.resources.delivery import OWN, TRUSTED, Ads
from meshes.envoy.resources.listeners import listeners
from meshes.envoy.resources.routes import outbound_routes

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate with its key and the roots to verify others by (PEM); when it ends and is to be renewed, Unix time."""

    key: str
    chain: str
    bundle: str
    not_after_s: float
    renew_at_s: float


def world(snapshot: Snapshot, leaf: Leaf | None, *, captured: bool) -> World:
    """Everything that one Envoy may ask for. Without mutual TLS there is no `leaf`."""
    return {
        Kind.SECRET: _by("name", secrets(leaf) if leaf else ()),
        Kind.CLUSTER: _by("name", clusters(snapshot, Ads(), captured=captured)),
        Kind.ENDPOINTS: _by("cluster_name", assignments(snapshot)),
        Kind.LISTENER: _by("name", listeners(snapshot, Ads(), captured=captured)),
        Kind.ROUTES: _by("name", [outbound_routes(snapshot, captured=captured)]),
    }


def secrets(leaf: Leaf) -> tuple[Json, Json]:
    """The certificate with its key, and the roots."""
    own = {"certificate_chain": {"inline_string": leaf.chain}, "private_key": {"inline_string": leaf.key}}
    trusted = {"trusted_ca": {"inline_string": leaf.bundle}}
    return {"name": OWN, "tls_certificate": own}, {"name": TRUSTED, "validation_context": trusted}


def _by(key: str, resources: Iterable[Json]) -> Resources:
    return {resource[key]: json.dumps(resource, sort_keys=True) for resource in resources}
