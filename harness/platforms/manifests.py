"""The Kubernetes objects of a plan's own hosts: per host a Deployment and a headless Service, per service a Service. Pure; sends nothing."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.model.errors import UsageError
from harness.model.plan import APP_PORT, OBSERVE_PORT, Kubernetes, Plan, Unit
from harness.model.program import Program
from harness.platforms.places import BEFORE, HOST, RUN, SERVICE, Where

Json = dict[str, Any]  # Any: JSON values
Identities = Mapping[str, Collection[str]]
"""By unit, the identities that its texts mention."""

MOUNT = "/etc/hoptax"
UID = 10001
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
GRACE_S = 2


def namespace(where: Where, labels: Iterable[tuple[str, str]] = ()) -> Json:
    """The namespace itself."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": where.namespace, "labels": where.labels | dict(labels)},
    }


def own(plan: Plan) -> tuple[Unit, ...]:
    """The units that are started from the plan, not brought by a mesh."""
    return tuple(unit for unit in plan.units if unit.brought is None)


def hosts_of(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    """Units by host, in the plan's order."""
    found: dict[str, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.host, []).append(unit)
    return found


def objects(units: Sequence[Unit], identities: Identities, asks: Kubernetes, where: Where) -> list[Json]:
    """Everything for these units, whose references are resolved. UsageError for a program that no image of ours has."""
    hosts = hosts_of(units)
    services = tuple(dict.fromkeys(unit.service for unit in units if unit.role == "app"))
    versions, served = _versions(units), {unit.host: unit.service for unit in units if unit.role == "app"}
    return [
        *(_account(name, where) for name in services),
        *(_service(name, units, where) for name in services),
        *(_host_service(host, each, where) for host, each in hosts.items()),
        *(_folder(unit, where) for unit in units if unit.files),
        *(
            _deployment(host, each, versions.get(each[0].before or host, "v1"), served, identities, asks, where)
            for host, each in hosts.items()
        ),
    ]


def secret(name: str, files: Mapping[str, str], where: Where) -> Json:
    """A Secret of text files."""
    return _object("v1", "Secret", name, where) | {"stringData": dict(files)}


def identity_secret(name: str) -> str:
    """The Secret that holds an identity."""
    return _dns(f"identity-{name}")


def container_name(unit: Unit) -> str:
    """The unit's container."""
    return _dns(unit.name)


def folder(unit: Unit) -> str:
    """What `${dir}` is."""
    return f"{MOUNT}/units/{_dns(unit.name)}"


def identity_folder(name: str) -> str:
    """What `${identity.NAME}` is."""
    return f"{MOUNT}/identities/{name}"


def command(program: Program) -> list[str]:
    """The words that start it in an image of ours."""
    if program.module:
        return ["python", *program.flags, "-m", program.module]
    return [program.name]


def _versions(units: Sequence[Unit]) -> dict[str, str]:
    """The last replica of a service that has several is its canary (harness.model.policy.Split), in every arm."""
    by_service: dict[str, list[str]] = {}
    for unit in units:
        if unit.role == "app":
            by_service.setdefault(unit.service, []).append(unit.host)
    return {hosts[-1]: "canary" for hosts in by_service.values() if len(hosts) > 1}


def _account(service: str, where: Where) -> Json:
    return _object("v1", "ServiceAccount", service, where) | {"automountServiceAccountToken": False}


def _service(service: str, units: Sequence[Unit], where: Where) -> Json:
    """Where calls go: to the service's pods, or the interposers before them. Through its observe port one can see, without a call, whether
    the cluster's nodes know of those yet."""
    hosts = {unit.host for unit in units if unit.service == service}
    relays = [unit for unit in units if unit.before in hosts]
    ports: list[Json] = [{"name": "http", "port": APP_PORT, "targetPort": APP_PORT, "appProtocol": "http"}]
    if any(unit.service == service and OBSERVE_PORT in unit.ports for unit in units):
        seen = relays[0].ready.port if relays and relays[0].ready else OBSERVE_PORT
        ports.append({"name": "observe", "port": OBSERVE_PORT, "targetPort": seen})
    selector = {BEFORE: service} if relays else {"app": service}
    return _object("v1", "Service", service, where) | {"spec": {"selector": selector, "ports": ports}}


def _host_service(host: str, units: Sequence[Unit], where: Where) -> Json:
    """Published from the start, so that nobody keeps in mind that there is no such name."""
    ports = sorted({port for unit in units for port in unit.ports})
    named = [{"name": "http" if port == APP_PORT else f"tcp-{port}", "port": port} for port in ports]
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {HOST: host}, "ports": named}
    return _object("v1", "Service", host, where) | {"spec": spec}


def _folder(unit: Unit, where: Where) -> Json:
    files = {file.name: file.content for file in unit.files}
    if _private(unit):
        return secret(_folder_name(unit), files, where)
    return _object("v1", "ConfigMap", _folder_name(unit), where) | {"data": files}


def _private(unit: Unit) -> bool:
    return any(file.private for file in unit.files)


def _deployment(
    host: str,
    units: Sequence[Unit],
    version: str,
    served: Mapping[str, str],
    identities: Identities,
    asks: Kubernetes,
    where: Where,
) -> Json:
    """An interposer's pod is under its callee's account: by that, sidecars know whose certificate to expect behind it."""
    service, relayed = served.get(host, ""), served.get(units[0].before, "")
    wanted = asks.pod_labels if service else asks.relay_labels if relayed else ()
    labels = where.labels | dict(wanted) | {HOST: host, "version": version}
    labels |= {SERVICE: service, "app": service} if service else {BEFORE: relayed} if relayed else {}
    template: Json = {"metadata": {"labels": labels}, "spec": _pod(units, service or relayed, identities, where)}
    if service and asks.pod_annotations:
        template["metadata"]["annotations"] = dict(asks.pod_annotations)
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {RUN: where.run, HOST: host}},
        "template": template,
    }
    return _object("apps/v1", "Deployment", host, where) | {"spec": spec}


def _pod(units: Sequence[Unit], service: str, identities: Identities, where: Where) -> Json:
    pod: Json = {
        "containers": [_container(unit, identities, where) for unit in units],
        "volumes": list(_volumes(units, identities)),
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": max(GRACE_S, *(round(unit.stop_grace_s) for unit in units)),
        "securityContext": {"fsGroup": UID, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    if service:
        pod["serviceAccountName"] = service
    return pod | ({"nodeSelector": {"kubernetes.io/hostname": where.node}} if where.node else {})


def _container(unit: Unit, identities: Identities, where: Where) -> Json:
    if unit.folder or (unit.role == "app" and not unit.program.module):
        raise UsageError(
            f"unit {unit.name!r} runs {unit.program.name!r}, a program of this machine: on the platform kubernetes only what is "
            "in the image runs; use --platform process"
        )
    return {
        "name": container_name(unit),
        "image": where.image,
        "imagePullPolicy": "IfNotPresent",
        "command": command(unit.program),
        "args": list(unit.args),
        "env": [{"name": name, "value": value} for name, value in (ENVIRONMENT | dict(unit.environment)).items()],
        "ports": [{"containerPort": port} for port in unit.ports],
        "resources": where.resources.document(),
        "securityContext": confined(),
        "volumeMounts": [
            {"name": name, "mountPath": path, "readOnly": True} for name, path in _mounts(unit, identities)
        ],
    }


def confined() -> Json:
    """A container without any right that it doesn't need."""
    return {
        "runAsNonRoot": True,
        "runAsUser": UID,
        "runAsGroup": UID,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def _mounts(unit: Unit, identities: Identities) -> Iterator[tuple[str, str]]:
    if unit.files:
        yield _folder_name(unit), folder(unit)
    for name in sorted(identities.get(unit.name, ())):
        yield identity_secret(name), identity_folder(name)


def _volumes(units: Sequence[Unit], identities: Identities) -> Iterator[Json]:
    seen = set()
    for unit in units:
        for name, _ in _mounts(unit, identities):
            if name in seen:
                continue
            seen.add(name)
            public = name == _folder_name(unit) and not _private(unit)
            yield {"name": name} | ({"configMap": {"name": name}} if public else {"secret": {"secretName": name}})


def _folder_name(unit: Unit) -> str:
    return _dns(f"files-{unit.name}")


def _object(version: str, kind: str, name: str, where: Where) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": where.namespace, "labels": where.labels},
    }


def _dns(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
