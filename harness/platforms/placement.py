"""Which CPUs carry the system under test and which the load. Pure: the CPUs are passed in."""

from collections.abc import Sequence

from harness.model.platform import Placement


def place(cpus: Sequence[int]) -> Placement:
    """The last CPU for load and harness, the others for the system under test; one CPU is shared by both.

    One CPU is enough for the generator (20,000 requests a second), and the system gets what a user would give it.
    """
    ordered = tuple(sorted(cpus))
    if len(ordered) < 2:
        return Placement(system=ordered, load=ordered)
    return Placement(system=ordered[:-1], load=ordered[-1:])
