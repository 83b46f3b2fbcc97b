"""Which endpoints are left out because they failed several times in a row. Pure: knows neither clock nor sockets."""

from meshes.builtin.policies import MOST_EJECTED_S, Ejection


class Record:
    """What is known of one endpoint: errors in a row, how often it was out, whether it is out now."""

    __slots__ = ("out", "row", "times")

    def __init__(self) -> None:
        self.row = 0
        self.times = 0
        self.out = False


class Ejections:
    """The endpoints of one callee. `made` counts the ejections, for metrics."""

    __slots__ = ("_out", "config", "endpoints", "made")

    def __init__(self, config: Ejection, endpoints: int) -> None:
        self.config = config
        self._out = 0
        self.endpoints = endpoints
        self.made = 0

    def judge(self, record: Record, failed: bool) -> float | None:
        """Notes one answer, or that there was none; the seconds for which the endpoint is to be left out, if it is. What an endpoint still
        answers while it is out doesn't count: it begins anew when it comes back."""
        if not failed or record.out:
            record.row = 0
            return None
        record.row += 1
        if record.row < self.config.consecutive:
            return None
        if self._out >= max(1, int(self.endpoints * self.config.most_share)):
            return None
        record.row = 0
        record.out = True
        record.times += 1
        self._out += 1
        self.made += 1
        return min(self.config.base_s * record.times, max(MOST_EJECTED_S, self.config.base_s))

    @property
    def out(self) -> int:
        """How many endpoints are left out now."""
        return self._out

    def back(self, record: Record) -> None:
        """Its time is up."""
        if record.out:
            record.out = False
            self._out -= 1
