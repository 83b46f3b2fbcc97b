"""One xDS stream, state of the world, as a machine: what the client asked, what is true now → what to answer. Pure, knows no protobuf.

The rules are those of Envoy's xds_protocol document:

- A kind of resource is sent only after the client has asked for it; at most one answer of a kind is unanswered at a time.
- A request whose nonce isn't that of the last answer is stale. What it asked for is repeated in the acknowledgement that follows.
- An answer is acknowledged with its nonce, or refused with its nonce and an error. What was refused isn't sent again until it changes.
- What is newly subscribed to is sent even if it didn't change; so is what is asked for again without need (Envoy does so for the
  endpoints of a cluster that changed, and serves nothing new before they come).
- Make before break: clusters, endpoints, listeners, routes; a cluster that is gone stays until listeners and routes without it
  are in force. After refused clusters, listeners and routes wait; endpoints and secrets never do.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

WILDCARD = "*"
VERSION_DIGITS = 16


class Kind(Enum):
    """Kinds of resources, in the order in which they are sent."""

    SECRET = "sds"  # noqa: S105 - a kind, not a secret
    CLUSTER = "cds"
    ENDPOINTS = "eds"
    LISTENER = "lds"
    ROUTES = "rds"


WHOLE = (Kind.CLUSTER, Kind.LISTENER)
"""Kinds that may be asked for without names, and whose answers are the full state: what isn't in them is deleted."""

Resources = Mapping[str, str]
"""By name; the texts are opaque here, equal texts are equal resources."""

World = Mapping[Kind, Resources]


@dataclass(frozen=True, slots=True)
class Asked:
    """A DiscoveryRequest: `nonce` is "" in the first of its kind; `error` is why the answer of that nonce was refused, "" if it wasn't."""

    kind: Kind
    names: tuple[str, ...] = ()
    nonce: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A DiscoveryResponse."""

    kind: Kind
    version: str
    nonce: str
    resources: Resources


@dataclass(slots=True)
class Subscription:
    """What the client wants of one kind and what it was sent last.

    `owed` has to be answered even if nothing changed; `answered` are the names that were wanted at the last answer; `pending` is an
    answer that was neither acknowledged nor refused; `accepted` is what was acknowledged last.
    """

    names: frozenset[str] = frozenset()
    named: bool = False
    everything: bool = False
    owed: bool = True
    pending: bool = False
    nonce: str = ""
    answered: frozenset[str] = frozenset()
    sent: Resources = field(default_factory=dict)
    accepted: Resources = field(default_factory=dict)
    refused: str = ""

    def subscribe(self, kind: Kind, names: tuple[str, ...]) -> None:
        """Take the names of a request. No name at all means everything, until a name was given once."""
        self.named = self.named or bool(names)
        self.everything = kind in WHOLE and (WILDCARD in names or not self.named)
        self.names = frozenset(names) - {WILDCARD}

    def wanted(self, resources: Resources) -> Resources:
        """What of the resources the client asked for. Names that don't exist are remembered, and sent when they do."""
        if self.everything:
            return resources
        return {name: text for name, text in resources.items() if name in self.names}


class Stream:
    """The state of one stream. Two streams of one proxy, as when one overlaps its successor, share nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._subscriptions: dict[Kind, Subscription] = {}
        self._answers = 0

    def offered(self, world: World) -> list[Answer]:
        """Something changed: what may be sent now."""
        self._world = world
        return list(self._due())

    def asked(self, request: Asked) -> list[Answer]:
        """The client said something: what may be sent now."""
        known = request.kind in self._subscriptions
        subscription = self._subscriptions.setdefault(request.kind, Subscription())
        if not known or not subscription.nonce:
            subscription.subscribe(request.kind, request.names)
        elif request.nonce == subscription.nonce:
            self._replied(subscription, request)
        return list(self._due())

    def refusals(self) -> dict[Kind, str]:
        """Why the last answers of these kinds were refused."""
        return {kind: each.refused for kind, each in self._subscriptions.items() if each.refused}

    def in_force(self) -> bool:
        """Whether the client has taken all that is true now: every kind that it asked for, clusters and listeners at least."""
        return all(kind in self._subscriptions for kind in WHOLE) and all(map(self._settled, Kind))

    def _replied(self, subscription: Subscription, request: Asked) -> None:
        before = (subscription.everything, subscription.names)
        subscription.subscribe(request.kind, request.names)
        again = not subscription.pending and before == (subscription.everything, subscription.names)
        more = subscription.names - subscription.answered or subscription.everything > before[0]
        subscription.owed = subscription.owed or again or bool(more)
        if subscription.pending:
            subscription.pending, subscription.refused = False, request.error
            subscription.accepted = subscription.accepted if request.error else subscription.sent
        subscription.answered &= subscription.names
        subscription.sent = subscription.wanted(subscription.sent)

    def _due(self) -> Iterator[Answer]:
        for kind in Kind:
            subscription = self._subscriptions.get(kind)
            if subscription is None or subscription.pending or self._held(kind, subscription):
                continue
            if subscription.owed or self._changed(kind, subscription):
                yield self._answer(kind, subscription, subscription.wanted(self._target(kind)))

    def _held(self, kind: Kind, subscription: Subscription) -> bool:
        """Whether something has to be in force before. The first routes of a listener don't wait for it: it may wait for them."""
        if kind is Kind.LISTENER:
            return not self._settled(Kind.CLUSTER)
        if kind is Kind.ROUTES:
            listener = self._subscriptions.get(Kind.LISTENER)
            waits = listener is not None and (listener.pending or self._changed(Kind.LISTENER, listener))
            return not self._settled(Kind.CLUSTER) or (waits and not subscription.owed)
        return False

    def _settled(self, kind: Kind) -> bool:
        """Whether what is wanted is in force, or nobody wants it."""
        subscription = self._subscriptions.get(kind)
        if subscription is None:
            return True
        open_ = subscription.pending or subscription.owed or subscription.refused
        return not open_ and not self._changed(kind, subscription)

    def _changed(self, kind: Kind, subscription: Subscription) -> bool:
        """Of kinds that are only asked for by name nothing is ever deleted: they go with the cluster or listener that names them."""
        wanted = subscription.wanted(self._target(kind))
        return wanted != subscription.sent if kind in WHOLE else not wanted.items() <= subscription.sent.items()

    def _target(self, kind: Kind) -> Resources:
        """What is to be in force; clusters that are gone stay as long as something in force may need them."""
        resources = self._world.get(kind, {})
        clusters = self._subscriptions.get(Kind.CLUSTER)
        if kind is Kind.CLUSTER and clusters is not None and not all(map(self._settled, (Kind.LISTENER, Kind.ROUTES))):
            return {**clusters.accepted, **resources}
        return resources

    def _answer(self, kind: Kind, subscription: Subscription, content: Resources) -> Answer:
        if kind is Kind.CLUSTER:
            self._owe_endpoints(subscription.sent, content)
        self._answers += 1
        subscription.nonce = str(self._answers)
        subscription.sent, subscription.answered = content, subscription.names
        subscription.owed, subscription.pending = False, True
        return Answer(kind, version(content), subscription.nonce, content)

    def _owe_endpoints(self, before: Resources, after: Resources) -> None:
        """A cluster that changed warms until its endpoints come again, and its acknowledgement waits for that."""
        endpoints = self._subscriptions.get(Kind.ENDPOINTS)
        changed = {name for name, text in after.items() if before.get(name, text) != text}
        if endpoints is not None and changed & endpoints.answered:
            endpoints.owed = True


def version(resources: Resources) -> str:
    """A digest of the content: who starts again from the same inputs gives the same versions."""
    digest = hashlib.sha256()
    for name in sorted(resources):
        digest.update(f"{len(name)} {name} {len(resources[name])} {resources[name]}".encode())
    return digest.hexdigest()[:VERSION_DIGITS]
