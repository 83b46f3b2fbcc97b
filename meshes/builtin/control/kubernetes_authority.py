"""The CA in a Secret: made once, by whichever replica comes first, and used by all. Keeps it in a folder for the signing helpers."""

import base64
import os
from pathlib import Path
from typing import Any, Protocol

from meshes.builtin.control.kubernetes_client import ApiError
from meshes.builtin.control.signing import Helper, SigningError

SECRET = "hoptax-authority"  # noqa: S105 - the name of an object
FILES = ("ca.pem", "ca-key.pem")
CONFLICT, MISSING = 409, 404

Json = dict[str, Any]


class Api(Protocol):
    """One question."""

    async def ask(self, method: str, path: str, document: object = None) -> Json: ...


async def authority(api: Api, namespace: str, folder: Path, helper: Helper) -> None:
    """Fill `folder` with the cluster's CA. ApiError or SigningError if that can't be."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    data = await _found(api, path)
    if data is None:
        data = await _made(api, path, folder, helper)
    _keep(folder, {name: base64.b64decode(data[name]) for name in FILES})


async def _found(api: Api, path: str) -> Json | None:
    try:
        data = dict((await api.ask("GET", f"{path}/{SECRET}")).get("data") or {})
    except ApiError as error:
        if error.status == MISSING:
            return None
        raise
    if missing := [name for name in FILES if name not in data]:
        raise ApiError(0, f"Secret {SECRET} has no {', '.join(missing)}: complete it, or delete it to get a new CA")
    return data


async def _made(api: Api, path: str, folder: Path, helper: Helper) -> Json:
    """A new one, or that of the replica which was faster."""
    helped = await helper(("authority", str(folder)), b"")
    if helped.code:
        raise SigningError(f"the helper that makes the authority ended with {helped.code}: {helped.err}")
    data = {name: base64.b64encode((folder / name).read_bytes()).decode() for name in FILES}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": SECRET, "labels": {"app.kubernetes.io/managed-by": "hoptax"}},
        "data": data,
    }
    try:
        await api.ask("POST", path, secret)
    except ApiError as error:
        if error.status == CONFLICT and (found := await _found(api, path)) is not None:
            return found
        raise
    return data


def _keep(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).unlink(missing_ok=True)
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
