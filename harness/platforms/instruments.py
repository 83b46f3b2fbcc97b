"""The pods of the instrument in the cluster, apart from every mesh: the agent, and where the load engine runs. Pure."""

from harness.platforms.manifests import ENVIRONMENT, UID, Json, confined
from harness.platforms.places import Where

AGENT, LOAD = "hoptax-agent", "hoptax-load"
SERVE = ("python", "-m", "harness.platforms.agent", "serve")
IDLE = ["python", "-m", "harness.platforms.agent", "idle"]
SCRATCH = "/tmp"  # noqa: S108 - inside the pod, a volume of its own
LOAD_MILLICPU = 500
"""Of all load pods together. Requests are also the weights by which the kernel divides a busy CPU between pods: among pods of tens of milli-CPUs the load comes first."""
NO_MESH = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}


def objects(agent: Where, load: Where, load_pods: int = 1) -> list[Json]:
    """The agent, on the node of the system under test, whose counters it reads, and a job with a pod for each load worker."""
    return [_agent(agent), _load(load, load_pods)]


def _agent(where: Where) -> Json:
    """It sees the node's processes: what they use, and their memory, can't be read from inside of a pod otherwise."""
    container = _container("agent", _rooted("SYS_PTRACE", "KILL"), where)
    container["volumeMounts"] = [{"name": "cgroup", "mountPath": "/host/cgroup", "readOnly": True}]
    spec = _common(where) | {
        "hostPID": True,
        "containers": [container],
        "volumes": [{"name": "cgroup", "hostPath": {"path": "/sys/fs/cgroup", "type": "Directory"}}],
    }
    return _object("v1", "Pod", AGENT, where) | {"spec": spec}


def _load(where: Where, count: int) -> Json:
    """Its one right is to go first on a CPU."""
    container = _container("load", _rooted("SYS_NICE"), where, f"{LOAD_MILLICPU // count}m")
    container["volumeMounts"] = [{"name": "scratch", "mountPath": SCRATCH}]
    pod = _common(where) | {
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "securityContext": {"fsGroup": UID, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    template = {"metadata": {"labels": where.labels | {"app": LOAD} | NO_MESH}, "spec": pod}
    job = {"backoffLimit": 0, "completionMode": "Indexed", "completions": count, "parallelism": count}
    return _object("batch/v1", "Job", LOAD, where) | {"spec": job | {"template": template}}


def _rooted(*capabilities: str) -> Json:
    """Kubernetes gives capabilities to user 0 only."""
    rights = {"drop": ["ALL"], "add": list(capabilities)}
    return confined() | {"runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0, "capabilities": rights}


def _container(name: str, security: Json, where: Where, cpu: str = "10m") -> Json:
    return {
        "name": name,
        "image": where.image,
        "imagePullPolicy": "IfNotPresent",
        "command": IDLE,
        "env": [{"name": key, "value": value} for key, value in ENVIRONMENT.items()],
        "resources": {"requests": {"cpu": cpu, "memory": "32Mi"}},
        "securityContext": security,
    }


def _common(where: Where) -> Json:
    pod: Json = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
    }
    return pod | ({"nodeSelector": {"kubernetes.io/hostname": where.node}} if where.node else {})


def _object(version: str, kind: str, name: str, where: Where) -> Json:
    labels = where.labels | {"app": name} | NO_MESH
    metadata = {"name": name, "namespace": where.namespace, "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
