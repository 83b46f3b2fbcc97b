"""Mesh: something that can carry a topology's traffic, as a pure function from a topology to a plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from harness.model.plan import Plan
from harness.model.policy import Policies
from harness.model.program import Program
from harness.model.topology import Topology

API_VERSION = 1

Support = Literal["optional", "always", "unsupported"]

FEATURES: Mapping[str, str] = {
    "mtls": "mutual TLS between sidecars, strict, with SPIFFE identities",
    "least-request": "power of two choices by requests in flight instead of round robin",
    "retries": "failed tries repeated on another endpoint, within a budget (Retry)",
    "circuit-breaking": "bounds on connections and on requests that wait for one (Breaker)",
    "outlier-ejection": "endpoints that fail several times in a row are left out for a while (Ejection)",
    "split": "a fifth of the calls to a canary (Split)",
    "authz": "who may call a service, and which paths, by SPIFFE identity; needs mtls (Authorization)",
    "access-log": "a line of JSON for every request, at both sidecars",
    "tracing": "W3C trace context continued by every sidecar (Tracing)",
}
"""Settings of a feature, named in brackets, are in harness.model.policy."""

REQUIRED: Mapping[str, str] = {"authz": "mtls"}
"""Features that mean nothing without another."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The settings that must be equal in every arm, because meshes' own defaults differ (retries 0 or 2, timeout none or 15 s).

    Every adapter writes each of them out; `policies` as far as the arm has their features, and nothing of the others: without
    the features there are no retries, no access log and no trace context. Times in seconds, sizes in bytes. Before the hosts of
    `interposed` stands a relay of the harness's (harness.faults.wire): calls from other hosts go to `peer(host, interposed)`.
    """

    connect_timeout_s: float = 1.0
    request_timeout_s: float = 15.0
    idle_timeout_s: float = 300.0
    max_connections: int = 1024
    max_requests: int = 1024
    max_header_bytes: int = 60 * 1024
    max_headers: int = 100
    buffer_bytes: int = 1024 * 1024
    policies: Policies = field(default_factory=Policies)
    interposed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """What a mesh may know of the platform when it plans: its name, and whether traffic is captured without the app's help.

    Without interception the app sends to its own sidecar's outbound port and names the callee in `Host`.
    """

    name: str
    interception: bool


@runtime_checkable
class Mesh(Protocol):
    """The contract of an adapter; a module with these names satisfies it.

    `capabilities` states every feature of FEATURES. `plan` is called with features that are "optional" or "always" here,
    opens no socket, starts no process, reads no clock, and returns equal plans for equal arguments.
    `programs` are what the mesh's version depends on: their versions and digests go into the manifest.
    """

    name: str
    api: int
    capabilities: Mapping[str, Support]
    programs: tuple[Program, ...]

    def plan(self, topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan: ...


PlanEdit = Callable[[Plan], Plan]


@dataclass(frozen=True, slots=True)
class Arm:
    """A mesh with its features, as it is measured.

    A `variant` names a second arm of the same mesh and features; its `edit` changes the plan (the self-test plants a known
    delay that way) or is None (a comparison of an arm with itself).
    """

    mesh: Mesh
    features: frozenset[str]
    variant: str = ""
    edit: PlanEdit | None = None

    @property
    def id(self) -> str:
        """Canonical: `mesh`, `mesh[feature,feature]` with sorted features, `mesh#variant`."""
        features = f"[{','.join(sorted(self.features))}]" if self.features else ""
        return self.mesh.name + features + (f"#{self.variant}" if self.variant else "")

    def plan(self, topology: Topology, traffic: Traffic, platform: PlatformFacts) -> Plan:
        """The mesh's plan for this arm."""
        plan = self.mesh.plan(topology, self.features, traffic, platform)
        return self.edit(plan) if self.edit else plan
