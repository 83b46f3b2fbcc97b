"""HTTP/2 through two real sidecars: clients that were not written here, with prior knowledge, and the mesh's mutual TLS behind."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from harness import registry
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.platform import Deployment
from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from harness.probes import observe
from harness.topology import load_topology

pytestmark = pytest.mark.system
CALLS = 200


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("http2")
    topology = load_topology(registry.find_file("topologies", "pair"), registry.service_program())
    plan = registry.arm("builtin[mtls]").plan(topology, Traffic(), PlatformFacts("process", interception=False))
    with AddressBlock() as addresses, Supervised(folder / "units") as supervised:
        platform = ProcessPlatform(supervised, addresses, place(sorted(os.sched_getaffinity(0))), folder / "authority")
        with platform.launch(plan, folder / "run") as running:
            yield running


def program(name: str, feature: str = "") -> str:
    found = shutil.which(name)
    if (
        found is None
        or feature not in subprocess.run([found, "-V"], capture_output=True, text=True, check=False).stdout
    ):
        pytest.skip(f"NOT TESTED: {name} {feature} is missing (Debian: curl, nghttp2-client)")
    return found


def url(deployment: Deployment) -> str:
    address, port = deployment.outbound("a-0", "b")
    return f"http://{address}:{port}/"


def test_curl_speaks_http2_to_a_sidecar(deployment: Deployment) -> None:
    """A process each: curl 7.88 itself stumbles when it uses such a connection again."""
    words = [program("curl", "HTTP2"), "-sS", "--http2-prior-knowledge", "-H", "Host: b", "-o", os.devnull]
    observe.reset(deployment)
    for _ in range(5):
        asked = [*words, "-w", "%{http_version} %{http_code}", url(deployment)]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
        assert done.stdout == "2 200", done.stderr
    assert observe.requests_by_service(deployment) == {"a": 0, "b": 5}


def test_h2load_multiplexes_over_one_connection(deployment: Deployment) -> None:
    words = [program("h2load"), "-n", str(CALLS), "-c", "1", "-m", "20", "-H", ":authority: b", url(deployment)]
    observe.reset(deployment)
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert f"{CALLS} succeeded, 0 failed" in done.stdout, done.stdout
    assert observe.requests_by_service(deployment) == {"a": 0, "b": CALLS}
