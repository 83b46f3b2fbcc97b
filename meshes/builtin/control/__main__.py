"""`python -m meshes.builtin.control control.json`: the control plane, until SIGTERM; in a cluster `--kubernetes JSON`.

control.json: `{"address", "port", "admin_port", "mesh": FILE, "identity": FOLDER, "authority": FOLDER}`, and for Envoys
`"xds": {"port", "captured"}`; the mesh's file is that of `meshes.builtin.control.model`. Exit codes: 0; 2 wrong use or a bad file; 4 a port that is taken or another failure of the machine.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from meshes.builtin.control.server import read_settings, serve
from meshes.builtin.snapshot import SnapshotError


def main() -> int:
    """The exit code."""
    if len(sys.argv) == 3 and sys.argv[1] == "--kubernetes":
        return _in_cluster(sys.argv[2])
    if len(sys.argv) != 2:
        print("usage: python -m meshes.builtin.control CONTROL_FILE | --kubernetes JSON", file=sys.stderr)
        return 2
    path = Path(sys.argv[1])
    try:
        asyncio.run(serve(read_settings(json.loads(path.read_bytes()), path.parent)))
    except ValueError as error:
        kind = "" if isinstance(error, SnapshotError) else f"{path.name} is not JSON: "
        print(f"control: {kind}{error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"control: {error}", file=sys.stderr)
        return 4
    return 0


def _in_cluster(text: str) -> int:
    """Loaded only there."""
    from meshes.builtin.control import kubernetes_client, kubernetes_server, kubernetes_settings  # noqa: PLC0415
    from meshes.builtin.control.signing import SigningError  # noqa: PLC0415

    try:
        settings = kubernetes_settings.read_cluster_settings(text)
        client = kubernetes_client.Client(kubernetes_client.in_cluster(os.environ))
        asyncio.run(kubernetes_server.serve(settings, client))
    except SnapshotError as error:
        print(f"control: {error}", file=sys.stderr)
        return 2
    except (OSError, kubernetes_client.ApiError, SigningError) as error:
        print(f"control: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
