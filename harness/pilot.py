"""The pilot's decision: from what a request costs each arm to the rate of the experiment. Pure; running it is elsewhere."""

import math
from collections.abc import Sequence

from harness.analysis.cost import ALL_ROLES, of_role
from harness.model.mesh import Arm
from harness.model.platform import Placement
from harness.model.run import Run

TARGET_UTILISATION = 0.5
"""At most half of the cores of the system under test, so that queueing doesn't hide what a hop costs (design §4, Rates)."""

SHARED_UTILISATION = 0.2
"""Of CPUs that the generator shares, whatever uses them: above that it waits for a CPU too often to be on time. On two cores beside a
cluster 3 of 32 windows at 14 to 23 % were late (results/reference/kind), and nearly all at 50 to 90 %."""

MAX_RATE_RPS = 5_000.0
MIN_RATE_RPS = 10.0


def cpu_s_per_request(run: Run, placement: Placement) -> float:
    """What a request costs the system under test; on CPUs that the generator shares, all that was used of them counts.

    The run has an answer.
    """
    units_ns = sum(unit.cpu_ns for unit in of_role(run, ALL_ROLES))
    return (units_ns if placement.apart else run.machine_busy_ns) / 1e9 / run.generator.done


def rate_rps(cpu_s_per_request: float, placement: Placement) -> float:
    """The rate at which such requests use the wanted share of the system's CPUs, rounded down to two digits.

    CPU per request falls as the load rises (wake-ups are shared; a third less from 60 to 300/s is common), so a pilot at a lower
    rate errs to the safe side; asked again with what a request costs at the answer, it comes closer.
    """
    if cpu_s_per_request <= 0:
        return MAX_RATE_RPS
    share = TARGET_UTILISATION if placement.apart else SHARED_UTILISATION
    wanted = share * len(placement.system) / cpu_s_per_request
    return max(MIN_RATE_RPS, min(MAX_RATE_RPS, _two_digits(wanted)))


def asked(arms: Sequence[Arm]) -> list[Arm]:
    """The arms among which the dearest is looked for: one whose features are all in another arm of its mesh costs less than that."""
    return [arm for arm in arms if not any(_covers(other, arm) for other in arms)]


def _covers(other: Arm, arm: Arm) -> bool:
    return (other.mesh.name, other.variant) == (arm.mesh.name, arm.variant) and other.features > arm.features


def _two_digits(value: float) -> float:
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / unit) * unit
