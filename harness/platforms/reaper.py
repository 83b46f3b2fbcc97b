"""Removes a run's objects from the cluster when it ends, however it ends: by the harness, or by a process that outlives it.

`python -m harness.platforms.reaper CONTEXT KUBECONFIG SELECTOR` is that process: it waits for its pipe to close, as `kill -9` of the
harness closes it too. A line on stdin says that all is removed already.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from harness.model.errors import EnvironmentFailure
from harness.platforms.kubectl import Kubectl
from harness.platforms.ownership import remove

TRIES_WITHIN_S = 600.0
AGAIN_AFTER_S = 5.0


class Reaped:
    """A context whose end removes everything that has this selector."""

    def __init__(self, kubectl: Kubectl, selector: str) -> None:
        self._kubectl, self._selector = kubectl, selector

    def __enter__(self) -> Self:
        words = (self._kubectl.context, self._kubectl.kubeconfig, self._selector)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.platforms.reaper", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            remove(self._kubectl, self._selector)
        except EnvironmentFailure as failure:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.returncode = 0  # it goes on without us
            first = f"{error}; " if isinstance(error, EnvironmentFailure) else ""
            raise EnvironmentFailure(
                f"{first}what the run made in the cluster can't be removed now ({failure}): a process in the background tries for "
                f"{TRIES_WITHIN_S / 60:g} minutes more, after that `hoptax clean` does it"
            ) from failure
        self._process.communicate(b"removed\n")


def insist(work: Callable[[], None], clock: Callable[[], float], sleep: Callable[[float], None]) -> bool:
    """Whether it was done within TRIES_WITHIN_S: a cluster that doesn't answer may come back."""
    give_up = clock() + TRIES_WITHIN_S
    while True:
        try:
            work()
        except EnvironmentFailure:
            if clock() > give_up:
                return False
            sleep(AGAIN_AFTER_S)
        else:
            return True


if __name__ == "__main__":
    if not sys.stdin.readline():
        insist(lambda: remove(Kubectl(sys.argv[1], sys.argv[2]), sys.argv[3]), time.monotonic, time.sleep)
