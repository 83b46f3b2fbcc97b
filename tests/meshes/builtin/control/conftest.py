"""A control plane that runs, for tests of the process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meshes.builtin.control.running import Control, mesh_inputs, running


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with running(tmp_path, mesh_inputs()) as control:
        yield control
