"""The whole self-test as a recipe: the generator, the frozen server, then A/A and the planted delay in paired rounds."""

from dataclasses import dataclass

from harness import registry
from harness.experiment import Experiment
from harness.manifest import Facts
from harness.model.mesh import Arm
from harness.model.run import Load
from harness.model.topology import Topology
from harness.runner import Watcher, conclude, run_experiment, watched
from harness.selftest import freezing, generator, planted
from harness.selftest.arithmetic import Finding
from harness.store import ResultDir
from harness.topology import load_topology
from harness.trial import Bench

TOPOLOGY = "chain-4"
PLANTED_HOP = 1
ROUNDS = 8
LOAD = Load(rate_rps=200.0, warmup_s=1.0, window_s=4.0)
REFERENCE = "baseline"


@dataclass(frozen=True, slots=True)
class Subject:
    """What the instrument is tried on: a mesh that adds nothing, and a chain."""

    arm: Arm
    topology: Topology


def subject() -> Subject:
    """The shipped reference mesh and chain."""
    topology = load_topology(registry.find_file("topologies", TOPOLOGY), registry.service_program())
    return Subject(registry.arm(REFERENCE), topology)


def experiment(tried: Subject, rounds: int = ROUNDS) -> Experiment:
    """A/A and planted delay as one experiment of three arms."""
    arms = planted.arms(tried.arm, tried.topology.hops()[PLANTED_HOP])
    return Experiment("selftest", arms, tried.arm.id, (), (tried.topology,), {"steady": LOAD}, rounds, seed=1)


def generator_findings(tried: Subject, bench: Bench, watch: Watcher) -> list[Finding]:
    """Lateness, starvation, censoring and the frozen server: one launch each."""
    findings: list[Finding] = []
    for name, check in (
        ("lateness", generator.punctual),
        ("a starved generator", generator.starved),
        ("a server that never answers again", generator.cut_off),
    ):
        with watched(watch, name):
            findings.append(check(bench, tried.arm, tried.topology))
    with watched(watch, "a frozen server"):
        report, frozen = freezing.freeze(bench, tried.arm, tried.topology)
    return [*findings, generator.scheduled(report), *freezing.judge(report.rows, frozen)]


def paired_findings(
    tried: Subject, bench: Bench, facts: Facts, result: ResultDir, utc: str, watch: Watcher
) -> list[Finding]:
    """A/A and the planted delay, from the summary that `hoptax report` can make again."""
    run_experiment(experiment(tried), bench, facts, result, utc, watch)
    hops = tried.topology.hops()
    return list(planted.judge(conclude(result.path), tried.arm, hops, hops[PLANTED_HOP]))
