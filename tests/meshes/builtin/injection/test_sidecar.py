"""How long the app waits for its sidecar: the hook, run by a shell with commands that only count."""

import subprocess
from pathlib import Path

import pytest

from meshes.builtin.injection.sidecar import ASKED_EVERY_S, AWAITED, START_WITHIN_S


def run(folder: Path, ready_after: int) -> tuple[int, int]:
    """(exit code, how often it asked) where the proxy is ready at that asking."""
    asked, sleep = folder / "wget", folder / "sleep"
    asked.write_text(
        '#!/bin/sh\ncase "$*" in *127.0.0.1:15090/ready) ;; *) exit 9;; esac\n'
        f'echo >> {folder}/count\n[ "$(wc -l < {folder}/count)" -ge {ready_after} ]\n'
    )
    sleep.write_text(f'#!/bin/sh\n[ "$1" = {ASKED_EVERY_S} ]\n')
    for program in (asked, sleep):
        program.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(("sh", "-c", AWAITED), env=environment, check=False, capture_output=True)
    return done.returncode, (folder / "count").read_text().count("\n")


@pytest.mark.parametrize("ready_after", [1, 4])
def test_the_app_starts_as_soon_as_the_proxy_is_ready(tmp_path: Path, ready_after: int) -> None:
    assert run(tmp_path, ready_after) == (0, ready_after)


def test_a_proxy_that_is_never_ready_fails_the_hook_in_the_end(tmp_path: Path) -> None:
    assert run(tmp_path, 10_000) == (1, START_WITHIN_S / ASKED_EVERY_S)
