"""Checks that every port a plan will bind is free, before anything starts."""

import errno
import socket
from collections.abc import Mapping

import psutil

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Plan


def check_free(plan: Plan, addresses: Mapping[str, str]) -> None:
    """EnvironmentFailure names the unit, address and port that is taken, and who has it as far as that may be seen."""
    for unit in plan.units:
        for port in unit.ports:
            address = addresses[unit.host]
            if not free(address, port):
                raise EnvironmentFailure(
                    f"port {port} on {address}, which unit {unit.name!r} needs, is taken{_holder(address, port)}: end that program"
                )


def free(address: str, port: int) -> bool:
    """Whether it can be bound now; EnvironmentFailure if that fails for another reason than being taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise EnvironmentFailure(f"{address}:{port} can't be bound: {error.strerror}") from error
    return True


def _holder(address: str, port: int) -> str:
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    taking = {(each, port) for each in (address, "0.0.0.0", "::")}  # noqa: S104 - listened to by others
    pids = {
        item.pid for item in sockets if item.status == psutil.CONN_LISTEN and tuple(item.laddr) in taking and item.pid
    }
    return f" (by pid {', '.join(map(str, sorted(pids)))})" if pids else ""
