"""Which CPUs carry the system under test and which the load. Pure: the CPUs, and the core of each, are passed in."""

from collections.abc import Callable, Hashable, Sequence

from harness.model.platform import Placement


def place(cpus: Sequence[int], core_of: Callable[[int], Hashable] = lambda cpu: cpu) -> Placement:
    """The last core for load and harness, the others for the system under test; one CPU is shared by both.

    One core is enough for the generator (20,000 requests a second), and the system gets what a user would give it. Hardware
    threads of a core take from each other, so a core is given away whole; only the threads of a single core are parted.
    """
    ordered = tuple(sorted(cpus))
    if len(ordered) < 2:
        return Placement(system=ordered, load=ordered)
    load = tuple(cpu for cpu in ordered if core_of(cpu) == core_of(ordered[-1]))
    if load == ordered:
        load = ordered[-1:]
    return Placement(system=tuple(cpu for cpu in ordered if cpu not in load), load=load)
