"""Is every port free, and who has it if not."""

import os
import socket

import pytest

from harness.model.errors import EnvironmentFailure
from harness.platforms.ports import check_free
from tests.platforms.units import PORT, plan, unit

HERE, ELSEWHERE, BUSY = "127.86.1.1", "127.86.1.2", "127.86.1.3"
PLAN = plan(unit("a"))


def test_a_port_that_somebody_listens_to_is_taken() -> None:
    with socket.create_server((HERE, PORT)), pytest.raises(EnvironmentFailure) as failure:
        check_free(PLAN, {"a": HERE})

    assert str(failure.value) == (
        f"port {PORT} on {HERE}, which unit 'a' needs, is taken (by pid {os.getpid()}): end that program"
    )


def test_the_same_port_at_another_address_is_nobodys_trouble() -> None:
    with socket.create_server((ELSEWHERE, PORT)):
        check_free(PLAN, {"a": HERE})


def test_only_those_who_listen_at_the_address_are_named() -> None:
    taking, other = socket.socket(), socket.create_server((ELSEWHERE, PORT))
    with taking, other:
        taking.bind((HERE, PORT))
        with pytest.raises(EnvironmentFailure, match=r"is taken: end that program"):
            check_free(PLAN, {"a": HERE})


def test_connections_that_have_just_ended_take_no_port() -> None:
    with socket.create_server((BUSY, PORT)) as server:
        client = socket.create_connection((BUSY, PORT))
        served, _ = server.accept()
        served.close()
        client.close()

    check_free(PLAN, {"a": BUSY})


def test_an_address_that_is_not_this_machines_is_told() -> None:
    with pytest.raises(EnvironmentFailure, match=rf"192\.0\.2\.77:{PORT} can't be bound: Cannot assign"):
        check_free(PLAN, {"a": "192.0.2.77"})
