"""The platform kubernetes: a plan as pods of a cluster, hosts as Deployments of one replica; probes reach them through the agent."""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.model.mesh import PlatformFacts
from harness.model.plan import Kubernetes, Plan, Unit
from harness.model.platform import Placement
from harness.platforms import manifests, ownership
from harness.platforms.addresses import AddressBlock
from harness.platforms.asked_objects import Applied, AskedObjects
from harness.platforms.cluster import Cluster
from harness.platforms.issuing import issue
from harness.platforms.manifests import Json
from harness.platforms.places import Where
from harness.platforms.pod_deployment import PodDeployment
from harness.platforms.references import Lookup, identity_names, resolve, resolve_unit

ANYWHERE = "0.0.0.0"  # noqa: S104 - inside a pod, whose address isn't known beforehand


class KubernetesPlatform:
    """Starts plans in a cluster. Every plan has a namespace of its own, which stays, empty, until the cluster is left."""

    name = "kubernetes"
    facts = PlatformFacts("kubernetes", interception=True)

    def __init__(self, cluster: Cluster, addresses: AddressBlock, placement: Placement, authority: Path) -> None:
        self._cluster = cluster
        self._addresses = addresses
        self._placement = placement
        self._authority = authority
        self._asked = AskedObjects(cluster.kubectl, cluster.run)
        self._made: set[str] = set()
        self.running: PodDeployment | None = None

    @contextmanager
    def launch(self, plan: Plan, workspace: Path) -> Iterator[PodDeployment]:
        """See harness.model.platform.Platform."""
        where = self._cluster.where(namespace_of(plan, self._cluster.target.prefix))
        addresses = self._addresses.assign(plan.hosts())
        workspace.mkdir(mode=0o700, parents=True)
        issue(plan, self._authority, workspace / "identities")
        lookup = PodReferences(plan, where, workspace / "identities", self._authority)
        plan = _identified(plan, lookup)
        asks = plan.kubernetes or Kubernetes()
        passing: list[Applied] = []
        deployment = PodDeployment(plan, self._cluster, where, self._placement, addresses, workspace)
        try:
            self._make_namespace(where, asks)
            passing = self._asked.apply(asks, where, lookup)
            self._cluster.kubectl.apply(_objects(plan, asks, where, lookup), where.namespace)
            deployment.start()
            self.running = deployment
            yield deployment
        finally:
            self.running = None
            deployment.close()
            self._asked.withdraw(passing)

    def rendered(self, plan: Plan) -> list[dict[str, str]]:
        """Every file of the plan and what it asks of the cluster, with secrets and keys left as references."""
        where = self._cluster.where(namespace_of(plan, self._cluster.target.prefix))
        hosts = dns_names(plan)
        files = []
        for unit in plan.units:
            shown = resolve_unit(unit, _own_lookup(unit, lambda kind, name: _shown(hosts, kind, name)))
            files += [_file(unit.name, file.name, file.content) for file in shown.files]
        asks = plan.kubernetes or Kubernetes()
        files += [_file("kubernetes", f"{each.name}.yaml", each.content) for each in (*asks.before, *asks.manifests)]
        return [*files, _file("kubernetes", "namespace", where.namespace)]

    def engine_commands(self) -> list[tuple[str, ...]]:
        """What runs the words after it in each pod of the load."""
        return [self._cluster.exec(pod, "load") for pod in self._cluster.load_pods]

    def _make_namespace(self, where: Where, asks: Kubernetes) -> None:
        if where.namespace not in self._made:
            ownership.check_free(self._cluster.kubectl, where.namespace, where.run)
            self._cluster.kubectl.apply([manifests.namespace(where, asks.namespace_labels)])
            self._made.add(where.namespace)


class PodReferences:
    """What a launch's references stand for, outside of the host that they are about."""

    def __init__(self, plan: Plan, where: Where, identities: Path, authority: Path) -> None:
        self._hosts = dns_names(plan)
        self._where = where
        self._images = dict((plan.kubernetes or Kubernetes()).images) | dict(where.images)
        self._identities = identities
        self._authority = authority
        self._secrets: dict[str, str] = {}

    def __call__(self, kind: str, name: str) -> str | None:
        found: dict[str, Callable[[str], str | None]] = {
            "address": self._hosts.get,
            "identity": self._identity,
            "authority": self._of_authority,
            "secret": self._secret,
            "namespace": lambda _: self._where.namespace,
            "image": lambda name: self._images.get(name) if name else self._where.image,
        }
        return found[kind](name) if kind in found else None

    def _identity(self, name: str) -> str | None:
        return manifests.identity_folder(name) if (self._identities / name).is_dir() else None

    def _of_authority(self, name: str) -> str | None:
        file = self._authority / name
        return b64encode(file.read_bytes()).decode() if name and file.is_file() else None

    def _secret(self, name: str) -> str:
        return self._secrets.setdefault(name, secrets.token_urlsafe(24))

    def identity_files(self, name: str) -> dict[str, str]:
        """Of an identity that was issued."""
        return {file.name: file.read_text() for file in sorted((self._identities / name).iterdir())}


def _identified(plan: Plan, lookup: Lookup) -> Plan:
    """The plan as it is launched: identities are those of the launch's namespace."""
    units = (replace(unit, identity=resolve(unit.identity, lookup, f"unit {unit.name!r}")) for unit in plan.units)
    return replace(plan, units=tuple(units))


def namespace_of(plan: Plan, prefix: str) -> str:
    """The same for equal plans: a plan is started again and again in its own namespace."""
    return f"{prefix}-{hashlib.sha256(repr(plan).encode()).hexdigest()[:8]}"


def dns_names(plan: Plan) -> dict[str, str]:
    """Each host's name, for the others: the Service of its own, or of what its mesh brings, in that one's namespace."""
    names = {host: host for host in plan.hosts()}
    for unit in plan.units:
        if unit.brought is not None and unit.brought.namespace:
            names[unit.host] = f"{unit.brought.workload}.{unit.brought.namespace}.svc"
    return names


def _own_lookup(unit: Unit, lookup: Lookup) -> Lookup:
    def own(kind: str, name: str) -> str | None:
        if kind == "address" and name == unit.host:
            return ANYWHERE
        return manifests.folder(unit) if kind == "dir" else lookup(kind, name)

    return own


def _objects(plan: Plan, asks: Kubernetes, where: Where, lookup: PodReferences) -> list[Json]:
    units = manifests.own(plan)
    identities = {unit.name: sorted(identity_names(unit)) for unit in units}
    resolved = [resolve_unit(unit, _own_lookup(unit, lookup)) for unit in units]
    wanted = sorted({name for names in identities.values() for name in names})
    return [
        *(manifests.secret(manifests.identity_secret(name), lookup.identity_files(name), where) for name in wanted),
        *manifests.objects(resolved, identities, asks, where),
    ]


def _shown(hosts: Mapping[str, str], kind: str, name: str) -> str | None:
    if kind == "address":
        return hosts.get(name)
    return f"${{{kind}.{name}}}" if name else f"${{{kind}}}"


def _file(unit: str, name: str, content: str) -> dict[str, str]:
    return {
        "unit": unit,
        "file": name,
        "digest": hashlib.sha256(content.encode()).hexdigest()[:16],
        "content": content,
    }
