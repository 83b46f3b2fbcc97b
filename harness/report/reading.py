"""The words of the page: how to read it, and what it can't tell. Prose with few facts of the experiment in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.elements import Html, listed, section

_HOW = (
    "Response time runs from when a request was due by the schedule to its last byte. The schedule never waits for answers, so a slow "
    "system can't hide its queue. Service time starts when the request's bytes were written.",
    "“Added” is the arm minus the reference, within each round, where both met the same schedule, one shortly after the other. For latencies the "
    "estimate is Hodges–Lehmann's and the interval Wilcoxon's exact signed-rank one: the pseudomedian of the shift of that percentile over "
    "rounds. For CPU, memory and utilisation, which are means, it is Student's t.",
    "A 95 % interval misses the true value in about one experiment of twenty. Digits that the interval doesn't support aren't shown.",
    "To compare two meshes, read their contrast: it pairs them by round. Whether their own intervals overlap decides nothing.",
    "A hop is one call from a service to another with both sidecars in it; its own time is what the caller waited, less the time between "
    "the callee's receiving and answering. Shifts of percentiles don't add up along hops: the hops' medians needn't sum to the request's.",
    "CPU per 1,000 requests counts all processes of the system under test. Memory per sidecar is what all processes of the arm "
    "take (PSS) beyond those of the reference, divided by the number of sidecars: control plane and what the apps grew by included.",
    "Nothing is dropped: no outlier is removed and no best run chosen. A trial that can't be trusted voids its round in every arm, "
    "and the warnings above count it.",
)


def how_section(name: str, title: str) -> Html:
    """How to read the figures."""
    return section(name, title, listed(_HOW))


def limits_section(name: str, title: str, manifest: Mapping[str, Any]) -> Html:
    """What must not be concluded."""
    return section(name, title, listed(_limits(manifest)))


def _limits(manifest: Mapping[str, Any]) -> Iterator[str]:
    cores = len(manifest["placement"]["system"])
    yield (
        "Absolute figures belong to this machine and hour. Differences travel better, ratios best; none replaces a measurement where "
        "you will run it."
    )
    yield (
        f"The system under test had {cores} CPU{'' if cores == 1 else 's'}. Calls that start together then wait for one another, so a "
        "fan-out looks more serial than on a larger machine, and each sidecar's CPU time is also waiting time for its neighbours."
    )
    if not manifest["placement"]["apart"]:
        yield "The load generator shared those CPUs: its own work is part of every latency, in all arms alike."
    if manifest.get("platform") == "process":
        yield (
            "Everything ran as processes on loopback: no network, no kernel interception (iptables), no container limits, no other tenant. "
            "“Strict” mTLS can be claimed for the sidecar's inbound port only; nothing guards the app's own port here."
        )
    yield "One rate was measured, chosen well below saturation. What happens near saturation, and at which rate it comes, isn't here."
    yield (
        "Windows last seconds: slow leaks, certificate rotation, configuration pushes and faults have no part in them, and percentiles "
        "beyond the last one shown have too few requests to be known."
    )
    yield "The arms do what the proofs above say and no more: features that were off cost nothing here and will cost something when on."
