"""What a plan asks to be applied in the cluster beside its units: a mesh's own objects. Applies each once per life, and takes it back."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Kubernetes, Manifest, Render
from harness.platforms import documents, programs
from harness.platforms.documents import Json
from harness.platforms.kubectl import Kubectl
from harness.platforms.manifests import namespace
from harness.platforms.ownership import check_free
from harness.platforms.places import MANAGED_BY, OURS, RUN, Where
from harness.platforms.references import Lookup, resolve

RENDER_WITHIN_S = 60.0
CLUSTER_WIDE_KINDS = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"} | {
    f"{kind}WebhookConfiguration" for kind in ("Mutating", "Validating")
}


@dataclass(frozen=True, slots=True)
class Applied:
    """Objects as they were sent, and the namespace of those that name none."""

    objects: Sequence[Json]
    namespace: str


class AskedObjects:
    """Remembers, for one run, what stands in the cluster: objects of lifetime `experiment` are sent again only when they change."""

    def __init__(self, kubectl: Kubectl, run: str) -> None:
        self._kubectl = kubectl
        self._run = run
        self._standing: dict[tuple[str, str], Applied] = {}
        self._rendered: dict[tuple[str, ...], str] = {}
        self._namespaces: set[str] = set()

    def apply(self, asked: Kubernetes, where: Where, lookup: Lookup) -> list[Applied]:
        """All of it in order, each settled before the next; returns what lasts for the trial only. The launch's own namespace is there."""
        passing = []
        self._namespaces.add(where.namespace)
        everything: tuple[Manifest | Render, ...] = (*asked.before, *asked.renders, *asked.manifests)
        for each in everything:
            found = self._objects(each, where, lookup)
            if each.lifetime == "trial":
                self._send(each, found)
                passing.append(found)
            elif self._standing.get((each.name, found.namespace)) != found:
                self._replace(each, found)
        return passing

    def withdraw(self, passing: Sequence[Applied]) -> None:
        """Take back what lasted for a trial."""
        for each in reversed(passing):
            self._kubectl.delete(each.objects, each.namespace, wait=False)

    def _replace(self, asked: Manifest | Render, found: Applied) -> None:
        key = (asked.name, found.namespace)
        before = self._standing.pop(key, Applied((), found.namespace))
        if not before.objects:
            self._check_foreign(asked, found)
        if stale := documents.gone(before.objects, found.objects):
            self._kubectl.delete(stale, found.namespace)
        self._send(asked, found)
        self._standing[key] = found

    def _objects(self, asked: Manifest | Render, where: Where, lookup: Lookup) -> Applied:
        text = self._text(asked, lookup)
        labels = {MANAGED_BY: OURS, RUN: self._run}
        return Applied(
            documents.labelled(documents.read(text, f"manifest {asked.name!r}"), labels),
            asked.namespace or where.namespace,
        )

    def _text(self, asked: Manifest | Render, lookup: Lookup) -> str:
        who = f"manifest {asked.name!r}"
        if isinstance(asked, Manifest):
            return resolve(asked.content, lookup, who)
        words = (*programs.command(asked.program), *(resolve(word, lookup, who) for word in asked.args))
        if words not in self._rendered:
            self._rendered[words] = _render(asked.name, words)
        return self._rendered[words]

    def _send(self, asked: Manifest | Render, found: Applied) -> None:
        self._make_namespace(found)
        self._kubectl.apply(found.objects, found.namespace)
        if asked.settled:
            resource, _, condition = asked.settled.partition("=")
            self._kubectl.run(
                *("wait", f"--for={condition}", resource, f"--namespace={found.namespace}"),
                f"--timeout={asked.within_s:g}s",
                within_s=asked.within_s + 10,
            )

    def _make_namespace(self, found: Applied) -> None:
        """Those of their own that a mesh names; each is checked and made once."""
        wanted = {found.namespace} | {
            str(each["metadata"].get("namespace") or found.namespace) for each in found.objects
        }
        for name in sorted(wanted - self._namespaces - {"kube-system"}):
            check_free(self._kubectl, name, self._run)
            self._kubectl.apply([namespace(Where(self._run, name, ""))])
            self._namespaces.add(name)

    def _check_foreign(self, asked: Manifest | Render, found: Applied) -> None:
        """What concerns the whole cluster and is there already, of others, would be changed for them too."""
        wide = [each for each in found.objects if each["kind"] in CLUSTER_WIDE_KINDS]
        if not wide:
            return
        names = [f"{_resource(each)}/{each['metadata']['name']}" for each in wide]
        there = documents.read(self._kubectl.run("get", *names, "--ignore-not-found", "--output=json"), "what is there")
        if foreign := documents.foreign(there, RUN, self._run):
            raise EnvironmentFailure(
                f"manifest {asked.name!r} has {', '.join(foreign[:5])}, which exists in this cluster and isn't of this run: "
                "hoptax doesn't touch it; use a cluster without that mesh"
            )


def _resource(each: Json) -> str:
    group = str(each["apiVersion"]).rpartition("/")[0]
    return f"{each['kind']}.{str(each['apiVersion']).rpartition('/')[2]}.{group}" if group else str(each["kind"])


def _render(name: str, words: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=RENDER_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailure(f"manifest {name!r} can't be rendered by {words[0]!r}: {error}") from error
    if done.returncode:
        raise EnvironmentFailure(f"manifest {name!r} can't be rendered: {done.stderr.strip()[-400:]}")
    return done.stdout
