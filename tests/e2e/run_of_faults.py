"""A run of hoptax that does nothing but inject faults, to be killed in the middle: `python -m tests.e2e.run_of_faults`.

It says a line before each time that it waits: one for the window to begin, then three for each repetition of a fault, which acts from
the second to the third's end: so a fault acts at the 3rd and 4th line, the 6th and 7th, and so on.
"""

from dataclasses import fields

from harness import registry
from harness.model.fault import FaultSpec
from harness.model.run import Load
from harness.rounds import Trial
from harness.stage import stage
from harness.topology import load_topology
from harness.trial import Bench, run_trial

FOR_S, EVERY_S = 1.5, 3.5
KINDS = (("pause", "b-0"), ("kill", "b-0/sidecar"), ("latency", "a>b"), ("control-down", ""))
WINDOW_S = 2 + EVERY_S * len(KINDS)


class Telling(Bench):
    """Says when it is about to wait."""

    __slots__ = ()

    def sleep_until_ns(self, due_ns: int) -> None:
        print("waiting", flush=True)
        Bench.sleep_until_ns(self, due_ns)


def main() -> None:
    arm = registry.arm("builtin[mtls]")
    topology = load_topology(registry.find_file("topologies", "pair"), registry.service_program())
    specs = [
        FaultSpec(kind, kind, target, 1 + EVERY_S * place, FOR_S, 1, 0.0, dict(registry.fault_kind(kind).defaults))
        for place, (kind, target) in enumerate(KINDS)
    ]
    with stage([arm]) as (bench, _):
        telling = Telling(**{each.name: getattr(bench, each.name) for each in fields(Bench)})
        trial = Trial(1, 0, arm.id, topology.name, "r20", 1)
        load = Load(20.0, 0.5, round(WINDOW_S) + 1, 8, "uniform", timeout_s=2.0)
        run_trial(telling, trial, arm, topology, load, "killed", specs)
        print("over", flush=True)


if __name__ == "__main__":
    main()
