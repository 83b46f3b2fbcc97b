"""Certificates for tests that show configurations to real programs."""

import subprocess
import sys
from pathlib import Path

import pytest

from meshes.identity.names import spiffe_id
from meshes.identity.program import ISSUER


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One identity by the project's own issuer, standing in for every host's."""
    folder = tmp_path_factory.mktemp("identities")
    issuer = ISSUER.program
    run(issuer.module, "authority", str(folder / "authority"))
    run(issuer.module, "issue", "--authority", str(folder / "authority"), "--out", str(folder), f"x={spiffe_id('x')}")
    return folder / "x"


def run(module: str, *args: str) -> None:
    subprocess.run([sys.executable, "-m", module, *args], check=True, capture_output=True)
