"""What two results must share to be compared, and what differs between them, by name. Pure; works on manifests.

The parts of a comparison are a value of their own in the manifest, so that a refusal can say which of them differ.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.model.errors import UsageError

Document = Mapping[str, Any]  # Any: JSON values

STABLE = (
    "cpu_model",
    "cpus",
    "cores",
    "smt",
    "governor",
    "memory_bytes",
    "kernel",
    "architecture",
    "clock_source",
    "hypervisor",
    "python",
)
"""Machine facts that stay as they are while a machine stays the same; the others say how busy it was, and when."""

MACHINE_PARTS = ("machine", "placement")
"""Parts of a comparison that another machine may change."""

_SHOWN = 6
_MISSING = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf that isn't the same: `where` it stands, and both values as text."""

    where: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.where} ({self.before} against {self.after})"


def parts(manifest: Document) -> Document:
    """The parts of a result's comparison; for a result older than the key `comparison`, those that can be told."""
    if "comparison" in manifest:
        found: Document = manifest["comparison"]
        return found
    placement = {name: value for name, value in manifest["placement"].items() if name != "apart"}
    return {
        "loads": manifest["loads"],
        "topologies": {each["name"]: each["digest"] for each in manifest["topologies"]},
        "traffic": manifest.get("traffic", {}),
        "platform": manifest.get("platform", ""),
        "placement": placement,
        "machine": stable(manifest),
    }


def stable(manifest: Document) -> Document:
    """The facts of the machine that don't change from hour to hour."""
    machine = manifest["machine"]
    return {name: machine[name] for name in STABLE if name in machine}


def differences(before: Any, after: Any, where: str = "") -> Iterator[Difference]:  # Any: JSON values
    """Every leaf in which two JSON values differ, by its path, in the order of the first."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from differences(before.get(name), after.get(name), f"{where}.{name}" if where else str(name))
    elif _plain(before) != _plain(after):
        yield Difference(where, _short(before), _short(after))


def unlike(before: Document, after: Document, ignoring: Collection[str] = ()) -> tuple[Difference, ...]:
    """The parts in which two results may not differ and do. Equal keys have none, whatever else the manifests hold."""
    if before["comparison_key"] == after["comparison_key"]:
        return ()
    left, right = ({k: v for k, v in parts(m).items() if k not in ignoring} for m in (before, after))
    found = tuple(differences(left, right))
    if found or ignoring:
        return found
    return (Difference("comparison_key", before["comparison_key"], after["comparison_key"]),)


def check_alike(before: Document, after: Document, ignoring: Collection[str] = ()) -> None:
    """UsageError, naming what differs, if the two may not be compared."""
    if found := unlike(before, after, ignoring):
        raise UsageError(
            f"these results can't be compared, they differ in {told(found)}.\n"
            "Measure again what is to be compared: `hoptax replay DIR` repeats a result with its rate and settings"
        )


def told(found: Sequence[Difference]) -> str:
    """The differences as one line; very many are counted."""
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(str(each) for each in found[:_SHOWN]) + more


def around(before: Document, after: Document) -> tuple[Difference, ...]:
    """What may differ between results that are compared, and may be why they differ: versions, digests, machine facts."""
    shared = {arm["id"] for arm in before["arms"]} & {arm["id"] for arm in after["arms"]}
    return tuple(differences(_surroundings(before, shared), _surroundings(after, shared)))


def _surroundings(manifest: Document, arms: Collection[str]) -> Document:
    return {
        "instrument": manifest.get("instrument", {}),
        "machine": stable(manifest),
        "programs": {
            arm["id"]: {each["name"]: _version(each) for each in arm.get("programs", ())}
            for arm in manifest["arms"]
            if arm["id"] in arms
        },
    }


def _version(program: Document) -> str:
    return " ".join(str(program[key]) for key in ("version", "digest") if program.get(key)) or "unknown"


def _plain(value: Any) -> Any:  # Any: JSON values; a tuple is a list once it has been on disk
    return list(value) if isinstance(value, tuple) else value


def _short(value: Any) -> str:
    if value is None:
        return _MISSING
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 48 else text[:47] + "…"
