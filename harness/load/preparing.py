"""From what an engine is asked to send to what its connections need: address, TLS, request bytes. It opens no connection for load."""

import os
import resource
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.load.connection import Endpoint
from harness.load.messages import Prepare
from harness.model.errors import EnvironmentFailure, UsageError
from harness.wire.request import Target, encode_request, parse_url

SPARE_FILES = 64
"""Descriptors that the engine needs besides its connections."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that can be done before the first connection."""

    endpoint: Endpoint
    request: bytes
    name: str


def prepare(asked: Prepare) -> Prepared:
    """UsageError for what makes no sense, EnvironmentFailure for what this machine can't do."""
    check_prepare(asked)
    try:
        target = parse_url(asked.url)
        request = encode_request(target, asked.method, asked.headers, _body(asked.body_file))
    except ValueError as error:
        raise UsageError(str(error)) from error
    _allow_descriptors(asked.connections + SPARE_FILES)
    tls = _tls(target, asked.cacert)
    family, address = _resolve(target, asked.timeout_s)
    endpoint = Endpoint(family, address, tls, target.host, bodiless=asked.method == "HEAD")
    return Prepared(endpoint, request, f"{asked.method} {target.path}")


def check_prepare(asked: Prepare) -> None:
    """UsageError for numbers that make no sense."""
    if not 1 <= asked.connections <= 50_000:
        raise UsageError(f"{asked.connections} connections: allowed are 1 to 50000")
    if not 0.001 <= asked.timeout_s <= 3600:
        raise UsageError(f"timeout {asked.timeout_s:g} s: allowed is 1ms to 1h")


def settle(cpus: tuple[int, ...]) -> None:
    """Run on these CPUs alone; none = as started."""
    if cpus:
        try:
            os.sched_setaffinity(0, cpus)
        except OSError as error:
            raise EnvironmentFailure(
                f"CPUs {sorted(cpus)} can't be used for load ({error.strerror}): "
                f"this machine allows {sorted(os.sched_getaffinity(0))}"
            ) from error


def _body(path: str) -> bytes:
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise UsageError(f"body file {path} can't be read: {error.strerror}") from error


def _allow_descriptors(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise EnvironmentFailure(
                f"{wanted - SPARE_FILES} connections need {wanted} open files, this machine allows {hard}: raise `ulimit -Hn`"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _tls(target: Target, cacert: str) -> ssl.SSLContext | None:
    if not target.tls:
        if cacert:
            raise UsageError(f"cacert {cacert} is given, but the URL is not https: leave it out or use https")
        return None
    try:
        return ssl.create_default_context(cafile=cacert or None)
    except OSError as error:
        raise UsageError(
            f"cacert {cacert} can't be used: {error.strerror or error}; give a PEM file of certificates"
        ) from error


def _resolve(target: Target, timeout_s: float) -> tuple[int, Any]:
    """The first address that accepts a connection; if there is only one it isn't tried, so that nobody counts a connection too many."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EnvironmentFailure(f"host {target.host!r} has no address: {error.strerror}") from error
    for family, kind, protocol, _, address in found[:-1]:
        with socket.socket(family, kind, protocol) as probe:
            probe.settimeout(min(timeout_s, 1.0))
            if probe.connect_ex(address) == 0:
                return family, address
    return found[-1][0], found[-1][4]
