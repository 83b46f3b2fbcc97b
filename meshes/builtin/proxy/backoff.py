"""How long to wait before trying again. Pure: chance is passed in."""

FIRST_S = 0.1
MOST_S = 5.0


def delay_s(failures: int, chance: float) -> float:
    """Full jitter (Brooker, "Exponential backoff and jitter", 2015): `chance` in [0, 1) of 0.1 s doubled per failure, at most
    5 s; many proxies that lost one control plane don't come back at once."""
    return min(MOST_S, FIRST_S * 2.0 ** min(failures, 30)) * (0.1 + 0.9 * chance)
