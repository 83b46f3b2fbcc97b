"""What a sidecar's inbound port lets in and whom it says it is: tried from outside, with the standard library's TLS.

It knows ports and certificates, no mesh. On processes nothing guards the app's own port, so what is proven holds for
the inbound port only, and the proofs say so.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.model.plan import INBOUND_PORT
from harness.model.run import Parity

PATIENCE_S = 3.0
SCOPE = f"port {INBOUND_PORT} only: on processes nothing guards the app's own port"


@dataclass(frozen=True, slots=True)
class Door:
    """The inbound port of one sidecar: where it is, which service stands behind it, which SPIFFE id it has to prove."""

    unit: str
    address: str
    service: str
    identity: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt got. `silent` is no refusal: nothing came within PATIENCE_S. `seen` is for people."""

    outcome: Literal["answered", "refused", "silent"]
    seen: str
    uris: tuple[str, ...] = ()


Attempt = Callable[[Door], Answer]


def attempt(door: Door, context: ssl.SSLContext | None) -> Answer:
    """One GET through the door, in plaintext without a context."""
    if context is None:
        connection = http.client.HTTPConnection(door.address, INBOUND_PORT, timeout=PATIENCE_S)
    else:
        connection = http.client.HTTPSConnection(door.address, INBOUND_PORT, timeout=PATIENCE_S, context=context)
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
        _refused("mtls: plaintext refused", doors, lambda door: attempt(door, None)),
        _refused("mtls: client without certificate refused", doors, lambda door: attempt(door, nobody)),
    ]
    if stranger is not None:
        foreign = client_context(member, stranger)
        check = "mtls: client of another authority refused"
        proofs.append(_refused(check, doors, lambda door: attempt(door, foreign)))
    answers = _each(doors, lambda door: attempt(door, known))
    wrong = [
        f"{d.unit} proved {' '.join(a.uris) or 'nothing'}, not {d.identity}"
        for d, a in answers
        if a.uris != (d.identity,)
    ]
    return (*proofs, _accepted("mtls: peer accepted", answers), _proof("identity: server certificate", answers, wrong))


def open_to_all(doors: Sequence[Door]) -> tuple[Parity, ...]:
    """Without mTLS a sidecar takes plaintext from anyone."""
    return (_accepted("plaintext accepted", _each(doors, lambda door: attempt(door, None))),)


def closed(doors: Sequence[Door]) -> tuple[Parity, ...]:
    """Without a sidecar nothing listens at the inbound port of any host."""
    answers = _each(doors, lambda door: attempt(door, None))
    wrong = [f"{door.unit}: {answer.seen}" for door, answer in answers if "ConnectionRefusedError" not in answer.seen]
    return (_proof(f"no sidecar: nobody listens on {INBOUND_PORT}", answers, wrong),)


def _each(doors: Sequence[Door], through: Attempt) -> list[tuple[Door, Answer]]:
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(zip(doors, pool.map(through, doors), strict=True))


def _refused(check: str, doors: Sequence[Door], through: Attempt) -> Parity:
    answers = _each(doors, through)
    return _proof(
        check, answers, [f"{door.unit}: {answer.seen}" for door, answer in answers if answer.outcome != "refused"]
    )


def _accepted(check: str, answers: Sequence[tuple[Door, Answer]]) -> Parity:
    return _proof(
        check, answers, [f"{door.unit}: {answer.seen}" for door, answer in answers if answer.outcome != "answered"]
    )


def _proof(check: str, answers: Sequence[tuple[Door, Answer]], wrong: Sequence[str]) -> Parity:
    """Passed when no door was wrong and there was at least one to try."""
    if not answers:
        return Parity(check, passed=False, seen="there is no host to try")
    first = answers[0]
    seen = "; ".join(wrong) or f"all {len(answers)} ({SCOPE}), e.g. {first[0].unit}: {first[1].seen}"
    return Parity(check, passed=not wrong, seen=seen)


def _uris(sock: socket.socket) -> tuple[str, ...]:
    if not isinstance(sock, ssl.SSLSocket):
        return ()
    names: Any = (sock.getpeercert() or {}).get("subjectAltName", ())  # pairs of kind and value; typeshed knows less
    return tuple(value for kind, value in names if kind == "URI")
