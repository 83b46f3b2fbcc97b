"""`hoptax up` as a process: what it announces, and that a signal ends it and all it started."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.system
@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
def test_up_announces_and_ends_on_a_signal(word: signal.Signals) -> None:
    line = [sys.executable, "-c", "from harness.cli import main; main()", "up", "pair", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        document = json.loads(process.stdout.readline())
        process.send_signal(word)
        _, err = process.communicate(timeout=30)
    assert [unit["unit"] for unit in document["units"]] == ["b-0", "a-0"]
    assert (process.returncode, err) == (130, "hoptax: interrupted\n")
    for unit in document["units"]:
        assert not Path(f"/proc/{unit['pid']}").exists()
