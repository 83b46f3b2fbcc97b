"""The tunnel over real pipes to a real agent process: bytes, refusals, requests, and what happens when the agent ends."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.model.errors import EnvironmentFailure
from harness.platforms.addresses import AddressBlock
from harness.platforms.tunnel import Door, Tunnel

AGENT = (sys.executable, "-m", "harness.platforms.agent", "serve")
WITHIN_S = 5.0


@pytest.fixture
def here() -> Iterator[str]:
    with AddressBlock() as block:
        yield block.assign(["host"])["host"]


@contextmanager
def echo() -> Iterator[Door]:
    """A server that answers everything it got once the client has no more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def one(peer: socket.socket) -> None:
            with peer, suppress(OSError):
                got = b""
                while data := peer.recv(1 << 16):
                    got += data
                peer.sendall(got)

        def accept() -> None:
            with suppress(OSError):
                while not ended.is_set():
                    threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()
        ended.set()
        server.shutdown(socket.SHUT_RDWR)


def through(door: Door, sent: bytes) -> bytes:
    with socket.create_connection(door, WITHIN_S) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        got = b""
        while data := client.recv(1 << 16):
            got += data
        sender.join()
        return got


def test_megabytes_go_there_and_back_on_many_connections_at_once(here: str) -> None:
    payloads = [os.urandom(3_000_000 + n) for n in range(8)]
    got: dict[int, bytes] = {}
    with echo() as there, Tunnel(AGENT) as tunnel:
        door = (here, 8080)
        tunnel.open_doors({door: there})
        threads = [
            threading.Thread(target=lambda n=n, sent=sent: got.__setitem__(n, through(door, sent)))
            for n, sent in enumerate(payloads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert [got[n] == sent for n, sent in enumerate(payloads)] == [True] * len(payloads)


def test_a_connection_that_is_refused_there_is_reset_here(here: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    with Tunnel(AGENT) as tunnel:
        tunnel.open_doors({(here, 8080): nobody})
        with pytest.raises(ConnectionResetError), socket.create_connection((here, 8080), WITHIN_S) as client:
            client.recv(1)


def test_a_door_that_is_closed_can_be_opened_to_somewhere_else(here: str) -> None:
    door = (here, 8080)
    with echo() as there, Tunnel(AGENT) as tunnel:
        tunnel.open_doors({door: there})
        tunnel.close_doors([door])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(door, WITHIN_S)
        tunnel.open_doors({door: there})
        assert through(door, b"again") == b"again"


def test_a_port_that_is_taken_here_is_named(here: str) -> None:
    taken = pytest.raises(EnvironmentFailure, match=f"{here}:8080, the local end of 198.19.0.9:80")
    with socket.create_server((here, 8080)), Tunnel(AGENT) as tunnel, taken:
        tunnel.open_doors({(here, 8080): ("198.19.0.9", 80)})


def test_the_agent_tells_its_clock_and_what_this_process_uses() -> None:
    with Tunnel(AGENT) as tunnel:
        assert set(tunnel.ask("clock")) == {"boot_id", "monotonic_ns"}
        used = tunnel.ask("usage", pids={"me": os.getpid()}, memory=True)["me"]
    assert used["cpu_ns"] > 0
    assert used["pss_bytes"] > 1_000_000


def test_what_the_agent_does_not_know_or_can_not_do_is_said() -> None:
    with Tunnel(AGENT) as tunnel:
        with pytest.raises(EnvironmentFailure, match="unknown request 'fly': have clock"):
            tunnel.ask("fly")
        with pytest.raises(EnvironmentFailure, match="usage: KeyError: 'pids'"):
            tunnel.ask("usage")


def test_an_agent_that_dies_fails_requests_at_once_and_resets_connections(here: str) -> None:
    with echo() as there, Tunnel(AGENT) as tunnel:
        tunnel.open_doors({(here, 8080): there})
        with socket.create_connection((here, 8080), WITHIN_S) as client:
            client.sendall(b"held")
            os.kill(tunnel.pid, signal.SIGKILL)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with pytest.raises(EnvironmentFailure, match="it has ended"):
            tunnel.ask("clock")


def test_a_connection_that_comes_after_the_agent_died_is_reset(here: str) -> None:
    with echo() as there, Tunnel(AGENT) as tunnel:
        tunnel.open_doors({(here, 8080): there})
        os.kill(tunnel.pid, signal.SIGKILL)
        with pytest.raises(EnvironmentFailure, match="it has ended"):
            tunnel.ask("clock")
        with pytest.raises(ConnectionResetError), socket.create_connection((here, 8080), WITHIN_S) as client:
            client.recv(1)


def test_a_command_that_is_no_agent_breaks_the_tunnel_off() -> None:
    broken = pytest.raises(EnvironmentFailure, match="it broke off: no frame begins with b'error: pods")
    with Tunnel(("echo", "error: pods hoptax-agent not found")) as tunnel, broken:
        tunnel.ask("clock")


def test_a_command_that_is_missing_is_named() -> None:
    with pytest.raises(EnvironmentFailure, match="by 'no-such-kubectl'"), Tunnel(("no-such-kubectl",)):
        pass
