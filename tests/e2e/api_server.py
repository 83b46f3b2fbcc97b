"""A real API server with its etcd, as plain processes on loopback, without a node: for what is between us and Kubernetes' API.

Webhooks are reached at the endpoints of their Service (`--enable-aggregator-routing`), so a server here can stand behind one. Kubernetes takes no
loopback address as an endpoint: ENDPOINT and SECOND are addresses of ours on `lo`.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import EnvironmentFailure
from harness.platforms.kubectl import Kubectl

PROGRAMS = ("etcd", "kube-apiserver", "kubectl", "openssl", "ip")
ENDPOINT, SECOND = "198.18.127.17", "198.18.127.18"
SERVICES = "198.18.126.0/24"
READY_WITHIN_S = 60.0
END_WITHIN_S = 20.0
POLL_S = 0.1
ADMIN = "admin-of-a-test"


def missing() -> str:
    """Why none can be started here, "" if one can."""
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"not on PATH: {', '.join(lacking)} (make kind-image builds Kubernetes' programs)"
    return "" if os.geteuid() == 0 else "not root: an address can't be given to lo"


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where it is, the certificate to verify it by, and kubectl for somebody who may do everything."""

    port: int
    certificate: Path
    kubectl: Kubectl


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Ends with the block, as do etcd and the address."""
    ports = [_free() for _ in range(3)]
    with ExitStack() as stack:
        for address in (ENDPOINT, SECOND):
            stack.enter_context(_on_lo(address))
        _keys(folder)
        client, peer, port = ports
        stack.enter_context(_started(folder, "etcd", *_etcd(folder, client, peer)))
        stack.enter_context(_started(folder, "kube-apiserver", *_api(folder, client, port)))
        kubectl = Kubectl("test", str(_kubeconfig(folder, port)))
        _await(kubectl, folder)
        yield ApiServer(port, folder / "cert.pem", kubectl)


@contextmanager
def _on_lo(address: str) -> Iterator[None]:
    subprocess.run(("ip", "addr", "replace", f"{address}/32", "dev", "lo"), check=True)
    try:
        yield
    finally:
        subprocess.run(("ip", "addr", "del", f"{address}/32", "dev", "lo"), check=True)


def _keys(folder: Path) -> None:
    """The server's certificate, which is its own root, a key for tokens, and the admin's token."""
    made = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    names = ("-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1")
    request = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1")
    for words in ((*request, *made, *names), ("genrsa", "-out", str(folder / "tokens.pem"), "2048")):
        subprocess.run(("openssl", *words), check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,admin,"system:masters"\n')


def _etcd(folder: Path, client: int, peer: int) -> tuple[str, ...]:
    at, between = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return (
        f"--data-dir={folder / 'etcd-data'}",
        f"--listen-client-urls={at}",
        f"--advertise-client-urls={at}",
        f"--listen-peer-urls={between}",
        f"--initial-advertise-peer-urls={between}",
        f"--initial-cluster=default={between}",
    )


def _api(folder: Path, etcd: int, port: int) -> tuple[str, ...]:
    return (
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        f"--advertise-address={ENDPOINT}",
        f"--secure-port={port}",
        f"--tls-cert-file={folder / 'cert.pem'}",
        f"--tls-private-key-file={folder / 'key.pem'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'tokens.pem'}",
        f"--service-account-signing-key-file={folder / 'tokens.pem'}",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={SERVICES}",
        "--enable-aggregator-routing=true",
    )


@contextmanager
def _started(folder: Path, program: str, *words: str) -> Iterator[None]:
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen((program, *words), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _kubeconfig(folder: Path, port: int) -> Path:
    path = folder / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\n"
        f"clusters: [{{name: test, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority: {folder / 'cert.pem'}}}}}]\n"
        f"users: [{{name: admin, user: {{token: {ADMIN}}}}}]\n"
        "contexts: [{name: test, context: {cluster: test, user: admin}}]\ncurrent-context: test\n"
    )
    return path


def _await(kubectl: Kubectl, folder: Path) -> None:
    give_up = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            kubectl.run("get", "--raw=/readyz")
            kubectl.run("get", "namespace", "default")
        except EnvironmentFailure as error:
            if time.monotonic() > give_up:
                log = (folder / "kube-apiserver.log").read_text()
                raise AssertionError(f"the API server isn't ready: {error}\n{log[-3000:]}") from error
            time.sleep(POLL_S)
        else:
            return


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
