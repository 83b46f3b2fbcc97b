"""What a frozen server must do to response times, from arithmetic alone. Pure.

A server that works off `drain_rps` stops for `freeze_s` inside a window of `window_s`, while requests go on falling due at
`rate_rps`. The request due `t` after the freeze began waits for the rest of the freeze and for the `rate·t` requests before
it: freeze − t + rate·t/drain. So the response time falls in a straight line from `freeze_s` to nothing, over
freeze/(1 − ρ) seconds, with ρ = rate/drain, and the share of the window's requests slower than x is
(freeze − x) / ((1 − ρ)·window). Solved for x at share 1 − q:

    x(q) = freeze − (1 − q)·(1 − ρ)·window
"""

from dataclasses import dataclass

TOLERANCE = 0.05
"""A quantile agrees with the arithmetic when it is within 5 % of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One truth: what was expected, what was found, and whether that is the same."""

    name: str
    passed: bool
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """A frozen server, as it was: all from measured stamps, none from response times."""

    freeze_s: float
    window_s: float
    rate_rps: float
    drain_rps: float

    def response_s(self, q: float) -> float:
        """The response time at quantile `q`; 0 where the freeze doesn't reach."""
        rho = self.rate_rps / self.drain_rps
        return max(0.0, self.freeze_s - (1 - q) * (1 - rho) * self.window_s)


def judge_freeze(freeze: Freeze, response_s: dict[float, float | None]) -> tuple[Finding, ...]:
    """Each measured quantile against the arithmetic."""
    return tuple(_judge_quantile(freeze, q, seen) for q, seen in response_s.items())


def _judge_quantile(freeze: Freeze, q: float, seen: float | None) -> Finding:
    expected = freeze.response_s(q)
    passed = seen is not None and abs(seen - expected) <= TOLERANCE * expected
    found = "no value" if seen is None else f"{seen * 1e3:.1f} ms"
    return Finding(f"frozen server, response p{100 * q:g}", passed, f"{expected * 1e3:.1f} ms ± 5 %", found)
