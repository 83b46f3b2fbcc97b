"""The generated result that reports are tested with, made once."""

from typing import Any

import pytest

from fixtures.recorded import Recorded, recorded
from harness.analysis.summary import summarise


@pytest.fixture(scope="session")
def result() -> Recorded:
    return recorded()


@pytest.fixture(scope="session")
def summary(result: Recorded) -> dict[str, Any]:
    return summarise(result)


@pytest.fixture(scope="session")
def short() -> Recorded:
    return recorded(rounds=3, rate_rps=60.0, window_s=2.0)
