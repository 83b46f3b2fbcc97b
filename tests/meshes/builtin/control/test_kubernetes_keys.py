"""The keys of a control plane in a cluster: made at its start, also over those of a killed one, by the same CA."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from meshes.builtin.control.kubernetes_client import ApiError, Client
from meshes.builtin.control.kubernetes_server import _keys
from meshes.builtin.control.kubernetes_settings import ClusterSettings

pytestmark = pytest.mark.system


class Secrets:
    """An API server with one Secret at most."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] | None = None

    async def ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        if method == "POST":
            self.kept = cast("dict[str, Any]", document)
        if self.kept is None:
            raise ApiError(404, f"{path} isn't there")
        return self.kept


def test_one_that_was_killed_is_followed_by_another_in_the_same_pod(tmp_path: Path) -> None:
    folder, client = tmp_path / "keys", cast("Client", Secrets())
    settings = ClusterSettings("system", "control", "control", 1, 2, 3, 10002, {}, folder)

    def start() -> tuple[bytes, bytes, bytes]:
        asyncio.run(_keys(settings, client))
        files = ("authority/ca.pem", "control/cert.pem", "webhook/cert.pem")
        authority, own, webhook = ((folder / name).read_bytes() for name in files)
        return authority, own, webhook

    first, second = start(), start()
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert first[2] != second[2]
