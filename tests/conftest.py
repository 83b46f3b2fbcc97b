"""What tests of every folder share."""

import signal
import sys
from collections.abc import Callable

import pytest
from hypothesis import settings

from harness import cli

settings.register_profile("hoptax", deadline=None)
settings.load_profile("hoptax")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background ignores it, and then so does all that we start, where tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def hoptax(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process; its exit code, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hoptax", *map(str, words)])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run
