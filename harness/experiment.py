"""The experiment file: YAML → Experiment, every key checked and every name resolved before anything starts.

```yaml
name: quick
arms: [baseline, "envoy[mtls]", "builtin[mtls]"]
reference: baseline            # overheads are differences to it; default: the first arm
contrasts: [["builtin[mtls]", "envoy[mtls]"]]
topologies: [chain-4]
rounds: 8
seed: 1
loads:
  auto: {rate: auto, window: 5s, warmup: 2s, connections: 16, arrivals: poisson}
```

A window that the load generator spoiled is measured again at the end of its round, `retakes:` times at most (1; 0 with faults).
`faults:` is described in harness.fault_file, `rules:` in harness.rule_file.

A load with `workload:` (a locustfile, see docs/workloads.md) is that file's users. `rate: auto` asks for a pilot: the load at which the
slowest arm uses at most half of its cores.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness import ablation, pilot, registry
from harness.ablation import Ablation, Wanted
from harness.fault_file import PROCESS, FaultEntry, faults
from harness.load.schedule import check_schedule
from harness.load.users import MAX_WORKERS, STEADY, with_workload
from harness.model.errors import UsageError, unknown
from harness.model.fault import FaultSpec
from harness.model.mesh import Arm, PlatformFacts
from harness.model.quantities import duration_s
from harness.model.rules import Asked
from harness.model.run import Load
from harness.model.topology import Topology
from harness.rule_file import UNSAID, Arms, experiment_rules
from harness.topologies import runnable_topology
from harness.topology import complaint, read_yaml, short

MAX_ARMS = 32
MAX_ROUNDS = 200
MAX_RETAKES = 3
MAX_WINDOW_S = 3600.0
MAX_RATE_RPS = 100_000
AUTO_RATE = 0.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """Arms × topologies × loads, for so many rounds. A load with rate AUTO_RATE waits for the pilot."""

    name: str
    arms: tuple[Arm, ...]
    reference: str
    contrasts: tuple[tuple[str, str], ...]
    topologies: tuple[Topology, ...]
    loads: dict[str, Load]
    rounds: int
    seed: int
    ablation: tuple[Ablation, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    rules: tuple[Asked, ...] = ()
    retakes: int = 1

    def arm(self, arm_id: str) -> Arm:
        """The arm of that id."""
        return next(arm for arm in self.arms if arm.id == arm_id)

    def topology(self, name: str) -> Topology:
        """The topology of that name."""
        return next(topology for topology in self.topologies if topology.name == name)


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{short(value)} has no unit: write e.g. 5s")  # noqa: TRY004 - pydantic turns it into a message
    try:
        return duration_s(value)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _whole(value: float) -> float:
    if value != round(value):
        raise ValueError(
            f"{value:g} s are not whole seconds, by which services count: write e.g. {max(1, round(value))}s"
        )
    return value


def _ablation(value: object) -> Wanted:
    try:
        return ablation.wanted(value)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"{value} is no number")  # noqa: TRY004 - pydantic turns it into a message
    return value


def _rate(value: object) -> object:
    return None if value == "auto" else _number(value)


_Seconds = Annotated[float, BeforeValidator(_seconds)]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class _Load(BaseModel):
    model_config = _STRICT
    rate: Annotated[Annotated[float, Field(gt=0, le=MAX_RATE_RPS)] | None, BeforeValidator(_rate)] = None
    warmup: Annotated[_Seconds, Field(ge=0, le=MAX_WINDOW_S)] = 2.0
    window: Annotated[_Seconds, Field(ge=1, le=MAX_WINDOW_S), AfterValidator(_whole)] = 5.0
    connections: Annotated[int, Field(strict=True, ge=1, le=1024)] = 16
    arrivals: Literal["poisson", "uniform"] = "poisson"
    timeout: Annotated[_Seconds, Field(gt=0, le=600)] = 15.0
    drain: Annotated[_Seconds, Field(ge=0, le=600)] = 5.0
    workload: str = ""
    workers: Annotated[int, Field(strict=True, ge=1, le=MAX_WORKERS)] = 1


class _File(BaseModel):
    model_config = _STRICT
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    arms: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_ARMS)]
    reference: str | None = None
    contrasts: tuple[tuple[str, str], ...] = ()
    ablation: Annotated[Wanted | None, BeforeValidator(_ablation)] = None
    topologies: Annotated[tuple[str, ...], Field(min_length=1)]
    rounds: Annotated[int, Field(strict=True, ge=1, le=MAX_ROUNDS)] = 8
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31)] = 1
    retakes: Annotated[int, Field(strict=True, ge=0, le=MAX_RETAKES)] | None = None
    loads: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,20}$")], _Load], Field(min_length=1)]
    faults: tuple[FaultEntry, ...] = ()
    rules: object = UNSAID


def load_experiment(
    name: str,
    *,
    arms: tuple[str, ...] = (),
    rounds: int | None = None,
    gate: bool = False,
    workers: int | None = None,
    platform: PlatformFacts = PROCESS,
) -> Experiment:
    """The experiment of that name or path, with the arms and rounds of the command line instead of the file's, if given.

    With `gate` an experiment without rules gets the default ones; `workers` share every load, whatever the file says. Raises UsageError for an unreadable file, an unknown key or
    name, a value out of range.
    """
    path = registry.find_file("experiments", name)
    file = _shared(_validated(path, read_yaml("experiment", path)), workers)
    experiment = _resolve(file, arms, platform)
    experiment = replace(experiment, rules=_rules(file.rules, experiment, f"experiment {path}", bool(arms), gate))
    return experiment if rounds is None else _with_rounds(experiment, rounds)


def _validated(path: Path, document: object) -> _File:
    if not isinstance(document, dict):
        raise UsageError(
            f"experiment {path} holds no mapping: start with `name: …` (see workloads/experiments/quick.yaml)"
        )
    try:
        return _File.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]")
        if first["type"] == "extra_forbidden":
            models: dict[str, type[BaseModel]] = {"loads": _Load, "faults": FaultEntry}
            model = models.get(str(first["loc"][0]), _File)
            raise UsageError(
                f"experiment {path}: unknown key {where!r}: have {', '.join(model.model_fields)}"
            ) from None
        raise UsageError(f"experiment {path}: {where}: {complaint(first)}") from None


def _shared(file: _File, workers: int | None) -> _File:
    """A load without a locustfile becomes that of the built-in one that sends the same requests, with every setting as it was."""
    if workers is None:
        return file
    loads = {
        name: load.model_copy(
            update={**({} if load.workload else load.model_dump() | {"workload": STEADY}), "workers": workers}
        )
        for name, load in file.loads.items()
    }
    return file.model_copy(update={"loads": loads})


def _resolve(file: _File, arms: tuple[str, ...], platform: PlatformFacts) -> Experiment:
    made, ablations = ablation.expand(file.ablation, registry.arm) if file.ablation else ((), ())
    named = tuple(registry.arm(text) for text in (arms or file.arms))
    by_id = {arm.id: arm for arm in (named if arms else (*named, *made))}
    resolved, ids = tuple(by_id.values()), list(by_id)
    if len(resolved) > MAX_ARMS:
        raise UsageError(f"{len(resolved)} arms, allowed are {MAX_ARMS}: take features out of `ablation`")
    asked = registry.arm(file.reference).id if file.reference else ids[0]
    if asked not in ids and not arms:
        raise unknown("reference arm", asked, ids)
    pairs = _contrasts(file, None if arms else ids)
    topologies = _topologies(file.topologies)
    loads = {name: _load(name, load, file.seed) for name, load in file.loads.items()}
    return Experiment(
        name=file.name,
        arms=resolved,
        reference=asked if asked in ids else ids[0],
        contrasts=tuple(pair for pair in pairs if set(pair) <= set(ids)),
        topologies=topologies,
        loads=loads,
        rounds=file.rounds,
        seed=file.seed,
        ablation=ablation.within(ablations, ids),
        faults=faults(file.faults, topologies, resolved, loads.values(), platform),
        retakes=file.retakes if file.retakes is not None else 0 if file.faults else 1,
    )


def _contrasts(file: _File, ids: list[str] | None) -> list[tuple[str, str]]:
    """Pairs of arm ids, each one of `ids` unless the command line chose other arms."""
    pairs = [(registry.arm(left).id, registry.arm(right).id) for left, right in file.contrasts]
    for pair in pairs:
        if pair[0] == pair[1]:
            raise UsageError(f"contrast of {pair[0]!r} with itself: name two arms that differ")
        for arm_id in pair:
            if ids is not None and arm_id not in ids:
                raise unknown("arm of a contrast", arm_id, ids)
    return pairs


def _topologies(names: tuple[str, ...]) -> tuple[Topology, ...]:
    """One per name; runs are told apart by the topology's own name, so two of one name can't be measured together."""
    found: dict[str, Topology] = {}
    for name in names:
        topology = runnable_topology(name)
        if found.setdefault(topology.name, topology) != topology:
            raise UsageError(f"two different topologies are named {topology.name!r}: rename one of them in its file")
    return tuple(found.values())


def _load(name: str, load: _Load, seed: int) -> Load:
    rate = AUTO_RATE if load.rate is None else load.rate
    asked = Load(rate, load.warmup, load.window, load.connections, load.arrivals, seed, load.timeout, load.drain)
    try:
        asked = with_workload(asked, load.workload, load.workers, load.model_fields_set)
        if asked.workload.loop == "open":
            check_schedule(asked.rate_rps or pilot.MAX_RATE_RPS, load.warmup + load.window, asked.arrivals)
    except UsageError as error:
        raise UsageError(f"load {name!r}: {error}") from error
    return asked


def waits_for_pilot(load: Load) -> bool:
    """Whether the rate is still to be found; users of a closed loop have none."""
    return load.rate_rps == AUTO_RATE and load.workload.loop == "open"


def _rules(rules: object, experiment: Experiment, where: str, replaced: bool, gate: bool) -> tuple[Asked, ...]:
    ids = tuple(arm.id for arm in experiment.arms)
    arms = Arms(ids, experiment.reference, lambda text: registry.arm(text).id, replaced)
    return experiment_rules(rules, arms, where, gate=gate, faults=bool(experiment.faults))


def _with_rounds(experiment: Experiment, rounds: int) -> Experiment:
    if not 1 <= rounds <= MAX_ROUNDS:
        raise UsageError(f"{rounds} rounds: allowed are 1 to {MAX_ROUNDS} (6 or more give an interval)")
    return replace(experiment, rounds=rounds)
