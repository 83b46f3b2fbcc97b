"""One kind cluster for the session, made by pytest-kind with the kind, kubectl and node image that are here, and a bench in it."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_kind import KindCluster

from harness import registry
from harness.cluster_stage import cluster_stage
from harness.model.mesh import Arm
from harness.model.platform import Placement
from harness.platforms import host_settings
from harness.platforms.cluster import Target
from harness.platforms.kind_config import Wanted, document
from harness.platforms.kind_tools import Tools
from harness.trial import Bench
from tests.e2e.here import ENVOY_IMAGE, ISTIO_ARCHIVE, OUR_IMAGE, missing, missing_for, node_image

MESHES = ("builtin", "envoy", "istio")
FEATURES = frozenset({"mtls", "split", "authz", "retries"})


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindCluster]:
    """Gone at the end, as are its network and its settings of the host if nobody else's cluster needs them."""
    if why := missing():
        pytest.skip(why)
    folder, tools = tmp_path_factory.mktemp("kind"), Tools()
    settings, network = host_settings.read(), tools.has_network("kind")
    made = _described(f"hoptax-e2e-{os.getpid()}", folder)
    try:
        made.create(_config(folder, made.name))
        tools.await_ready(made.kubeconfig_path)
        for archive in (OUR_IMAGE, ENVOY_IMAGE, ISTIO_ARCHIVE):
            if (tar := archive.with_suffix(".tar")).is_file():
                tools.kind("load", "image-archive", str(tar), "--name", made.name)
        yield made
    finally:
        tools.remove(made.name, made.kubeconfig_path)
        if not tools.any_cluster():
            host_settings.put_back(settings)
            if not network:
                tools.remove_network("kind")


def _described(name: str, folder: Path) -> KindCluster:
    """With programs by path, since pytest-kind downloads what it isn't given; its records go to the folder."""
    paths = {f"{program}_path": Path(str(shutil.which(program))) for program in ("kind", "kubectl")}
    with contextlib.chdir(folder):
        return KindCluster(name, kubeconfig=folder / "kubeconfig", image=node_image(), **paths)


def _config(folder: Path, name: str) -> Path:
    file = folder / "kind.json"
    file.write_text(document(Wanted(name), cgroup_v1=not Path("/sys/fs/cgroup/cgroup.controllers").exists()))
    return file


@pytest.fixture(scope="session")
def bench(cluster: KindCluster) -> Iterator[Bench]:
    """What `hoptax run --platform kubernetes` measures in; every plan gets a namespace of its own there."""
    ours, envoy = (str(json.loads(file.read_text())["reference"]) for file in (OUR_IMAGE, ENVOY_IMAGE))
    target = Target(ours, kubeconfig=str(cluster.kubeconfig_path), prefix="e2e", mesh_images=(("envoy", envoy),))
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    with cluster_stage(target, Placement(cpus, cpus), {}) as (made, _, _):
        yield made


@pytest.fixture(scope="module", params=MESHES)
def arm(request: pytest.FixtureRequest) -> Arm:
    """Each mesh with the same features."""
    if why := missing_for(request.param):
        pytest.skip(why)
    return Arm(registry.mesh(request.param), FEATURES)
