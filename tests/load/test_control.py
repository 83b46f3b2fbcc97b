"""The harness's side: an engine that hangs, dies or talks nonsense is a failure with its last words; how it polls on which CPUs."""

import sys

import pytest

from harness.load import control
from harness.load.control import Engine, polling_us
from harness.model.errors import EnvironmentFailure
from harness.model.run import Load

LOAD = Load(10, 0, 1)


def engine(program: str) -> Engine:
    return Engine(command=[sys.executable, "-c", program])


@pytest.mark.system
@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.exit('out of cheese')", "ended too early, with status 1; its last lines:\nout of cheese"),
        ("print('hello'); input()", "don't understand each other"),
        ('print(\'{"event": "progress"}\'); input()', "don't understand each other"),
        ('print(\'{"event": "failed", "blame": "environment", "message": "no fish"}\')', "no fish"),
    ],
)
def test_what_an_engine_dies_of_is_told(program: str, message: str) -> None:
    with engine(program) as broken, pytest.raises(EnvironmentFailure, match=message):
        broken.prepare("http://127.0.0.1/", LOAD)


@pytest.mark.system
def test_an_engine_that_hangs_is_given_up_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "READY_WITHIN_S", 0.05)
    monkeypatch.setattr(control, "EXIT_WITHIN_S", 0.05)
    deaf = "import signal, sys; print('zzz', file=sys.stderr, flush=True); signal.pause()"
    with engine(deaf) as hung:
        process = hung._process
        with pytest.raises(EnvironmentFailure, match="hangs: no answer in time"):
            hung.prepare("http://127.0.0.1/", LOAD)
    assert process.returncode is not None


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(EnvironmentFailure, match=r"'/no/engine' can't be started"), Engine(command=["/no/engine"]):
        pass


def test_an_engine_polls_long_only_on_cpus_of_its_own() -> None:
    assert polling_us((), 1) == polling_us((0,), 1) == (0, 0)
    assert polling_us((), 2)[1] < 1000 < polling_us((0,), 2)[1]
