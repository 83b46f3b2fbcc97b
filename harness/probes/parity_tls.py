"""What a sidecar's inbound port lets in and whom it says it is: tried from outside, with the standard library's TLS.

It knows certificates, no mesh. On processes nothing guards the app's own port, so what is proven holds for the inbound port only;
in a cluster the app's port is the one that is captured. The proofs say which it was.
"""

import http.client
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.model.plan import INBOUND_PORT
from harness.model.platform import Endpoint
from harness.model.run import Parity

PATIENCE_S = 3.0
NOBODY = ("ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError")
"""What a port gives on which nobody listens: on this machine a refusal, through a tunnel into a cluster a reset."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where calls meet one sidecar, which service stands behind it, which SPIFFE id it has to prove."""

    unit: str
    at: Endpoint
    service: str
    identity: str

    @property
    def scope(self) -> str:
        """For what a refusal holds."""
        port = self.at[1]
        return f"on {port}; the app's own port is guarded by nobody" if port == INBOUND_PORT else f"on {port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt got. `silent` is no refusal: nothing came within PATIENCE_S. `seen` is for people."""

    outcome: Literal["answered", "refused", "silent"]
    seen: str
    uris: tuple[str, ...] = ()


def attempt(door: Door, context: ssl.SSLContext | None) -> Answer:
    """One GET through the door, in plaintext without a context."""
    if context is None:
        connection = http.client.HTTPConnection(*door.at, timeout=PATIENCE_S)
    else:
        connection = http.client.HTTPSConnection(*door.at, timeout=PATIENCE_S, context=context)
    try:
        connection.connect()
        uris = _uris(connection.sock)
        connection.request("GET", "/", headers={"Host": door.service, "Connection": "close"})
        return Answer("answered", f"status {connection.getresponse().status}", uris)
    except TimeoutError:
        return Answer("silent", f"no answer within {PATIENCE_S:g} s")
    except (OSError, http.client.HTTPException) as error:
        return Answer("refused", f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def client_context(trust: Path, certificate: Path | None) -> ssl.SSLContext:
    """Trusts the CA in `trust`; shows the certificate of the folder `certificate`, or none. Names are compared by the caller."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(trust / "ca.pem")
    if certificate is not None:
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def strict(doors: Sequence[Door], member: Path, stranger: Path | None = None) -> tuple[Parity, ...]:
    """Mutual TLS: `member` is the folder of an identity of the mesh, `stranger` that of one from another authority."""
    nobody, known = client_context(member, None), client_context(member, member)
    proofs = [
        _refused("mtls: plaintext refused", doors, None),
        _refused("mtls: client without certificate refused", doors, nobody),
    ]
    if stranger is not None:
        proofs.append(_refused("mtls: client of another authority refused", doors, client_context(member, stranger)))
    tries = _tries(doors, known)
    return (*proofs, _accepted("mtls: peer accepted", tries), _identified(tries))


def open_to_all(doors: Sequence[Door]) -> tuple[Parity, ...]:
    """Without mTLS a sidecar takes plaintext from anyone."""
    return (_accepted("plaintext accepted", _tries(doors, None)),)


def closed(doors: Sequence[Door]) -> tuple[Parity, ...]:
    """Without a sidecar nothing listens at the inbound port of any host."""
    tries = _tries(doors, None)
    wrong = [(door, answer.seen) for door, answer in tries if not answer.seen.startswith(NOBODY)]
    return (_proof(f"no sidecar: nobody listens on {INBOUND_PORT}", tries, wrong),)


Tries = Sequence[tuple[Door, Answer]]


def _tries(doors: Sequence[Door], context: ssl.SSLContext | None) -> Tries:
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(zip(doors, pool.map(lambda door: attempt(door, context), doors), strict=True))


def _refused(check: str, doors: Sequence[Door], context: ssl.SSLContext | None) -> Parity:
    tries = _tries(doors, context)
    wrong = [(door, answer.seen) for door, answer in tries if answer.outcome != "refused"]
    return _proof(check, tries, wrong, f" ({doors[0].scope})" if doors else "")


def _accepted(check: str, tries: Tries) -> Parity:
    return _proof(check, tries, [(door, answer.seen) for door, answer in tries if answer.outcome != "answered"])


def _identified(tries: Tries) -> Parity:
    """Each server's certificate names its own SPIFFE id and no other URI."""
    wrong = [
        (door, f"proved {' '.join(answer.uris) or 'nothing'}, not {door.identity}")
        for door, answer in tries
        if answer.uris != (door.identity,)
    ]
    return _proof(
        "identity: server certificate", [(door, replace(answer, seen=door.identity)) for door, answer in tries], wrong
    )


def _proof(check: str, tries: Tries, wrong: Sequence[tuple[Door, str]], scope: str = "") -> Parity:
    """Passed when no door was wrong and there was at least one to try."""
    if not tries:
        return Parity(check, passed=False, seen="there is no host to try")
    if wrong:
        return Parity(check, passed=False, seen="; ".join(f"{door.unit}: {seen}" for door, seen in wrong))
    door, answer = tries[-1]
    return Parity(check, passed=True, seen=f"all {len(tries)}{scope}, e.g. {door.unit}: {answer.seen}")


def _uris(sock: socket.socket) -> tuple[str, ...]:
    if not isinstance(sock, ssl.SSLSocket):
        return ()
    names: Any = (sock.getpeercert() or {}).get("subjectAltName", ())  # pairs of kind and value; typeshed knows less
    return tuple(value for kind, value in names if kind == "URI")
