"""Where the control plane lives in a cluster: the values of its one argument, JSON. Pure."""

import json
from dataclasses import dataclass
from pathlib import Path

from meshes.builtin.reading import Section, SnapshotError


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """`webhook` is the MutatingWebhookConfiguration whose caBundle is ours; without `xds_port` no Envoy is served.

    `folder` is in memory: keys lie there. `images` are those of the sidecars, by template; `uid` is the sidecars'.
    """

    namespace: str
    service: str
    webhook: str
    port: int
    webhook_port: int
    admin_port: int
    uid: int
    images: dict[str, str]
    folder: Path
    xds_port: int = 0


def read_cluster_settings(text: str) -> ClusterSettings:
    """SnapshotError says what is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SnapshotError(f"the argument of --kubernetes is not JSON: {error}") from error
    with Section("control", document) as read:
        return ClusterSettings(
            namespace=read.text("namespace"),
            service=read.text("service"),
            webhook=read.text("webhook"),
            port=read.port("port"),
            webhook_port=read.port("webhook_port"),
            admin_port=read.port("admin_port"),
            uid=read.integer("uid", 1, 2**31),
            images=dict(read.names("images")),
            folder=Path(read.path("folder")),
            xds_port=read.port("xds_port") if read.has("xds_port") else 0,
        )
