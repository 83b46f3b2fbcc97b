"""Whether a callee gets another connection, or another request that waits for one. Pure: both are counted by callers."""

from meshes.builtin.policies import Breaker


class Breaking:
    """The bounds of one callee. `refused` counts the requests that were turned away."""

    __slots__ = ("config", "refused")

    def __init__(self, config: Breaker) -> None:
        self.config = config
        self.refused = 0

    def may_open(self, connections: int, own: int) -> bool:
        """`connections` are all of the callee's, `own` those of the endpoint in question: it may always have one, or those that wait for
        it would wait for ever."""
        return connections < self.config.max_connections or not own

    def may_wait(self, pending: int) -> bool:
        """Whether one more may wait beside so many."""
        return pending < self.config.max_pending

    def refuse_request(self) -> str:
        """As `refuse`, of one request in flight too many."""
        self.refused += 1
        return f"{self.config.max_requests} requests"

    def refuse(self) -> str:
        """Counts one that is turned away; why."""
        self.refused += 1
        return f"{self.config.max_connections} connections, {self.config.max_pending} waiting requests"
