"""What of a cluster's ingredients is on this machine, and where: programs, node image, images of ours and of Istio."""

import os
import shutil
import subprocess
from pathlib import Path

from harness.platforms.kind_config import BUILT_IMAGE

IMAGES = Path(os.environ.get("HOPTAX_IMAGES", "build/images")).absolute()
OUR_IMAGE, ENVOY_IMAGE = IMAGES / "all.json", IMAGES / "envoy.json"
ISTIO_ARCHIVE = Path(os.environ.get("HOPTAX_ISTIO_IMAGES", "build/istio/images.tar")).absolute()


def node_image() -> str:
    """HOPTAX_NODE_IMAGE, else the newest that `make kind-image` built, else ""."""
    return os.environ.get("HOPTAX_NODE_IMAGE", "") or next(iter(_docker("images", BUILT_IMAGE)), "")


def missing() -> str:
    """Why no cluster can be made here, "" if one can."""
    if lacking := [name for name in ("docker", "kind", "kubectl") if shutil.which(name) is None]:
        return f"not on PATH: {', '.join(lacking)} (make kind-image builds kind and kubectl)"
    if subprocess.run(("docker", "version"), capture_output=True, check=False).returncode:
        return "no Docker daemon answers"
    if not (image := node_image()) or not _docker("images", image):
        return f"the node image {image or BUILT_IMAGE} isn't here: make kind-image"
    if lacking := [file.name for file in (OUR_IMAGE, ENVOY_IMAGE) if not file.is_file()]:
        return f"{', '.join(lacking)} not in {IMAGES.name}: make images"
    return ""


def missing_for(mesh: str) -> str:
    """Why a mesh can't be tried in a cluster here, "" if it can."""
    if mesh == "istio" and not (shutil.which("istioctl") and ISTIO_ARCHIVE.is_file()):
        return "istioctl isn't on PATH or its images aren't here: make istio-images"
    return ""


def _docker(*words: str) -> list[str]:
    form = ("--format", "{{.Repository}}:{{.Tag}}")
    return subprocess.run(("docker", *words, *form), capture_output=True, text=True, check=False).stdout.split()
