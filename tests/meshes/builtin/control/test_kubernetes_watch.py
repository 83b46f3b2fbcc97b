"""Lists and watches against a small API server: real sockets, real TLS."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from meshes.builtin.control.kubernetes_client import ApiError
from meshes.builtin.control.kubernetes_watch import Followed
from tests.meshes.builtin.control.fake_api_server import FakeApiServer, serving
from tests.meshes.builtin.control.running import identity

WITHIN_S = 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's certificate for `localhost`."""
    made = tmp_path_factory.mktemp("server")
    identity("authority", str(made / "authority"))
    identity("serve", "--authority", str(made / "authority"), "--out", str(made / "tls"), "localhost")
    (made / "tls" / "ca.pem").write_bytes((made / "authority" / "ca.pem").read_bytes())
    return made / "tls"


class Scene:
    def __init__(self, fake: FakeApiServer, followed: Followed[str], changed: asyncio.Event) -> None:
        self.fake, self.followed, self.changed = fake, followed, changed

    async def names(self, *expected: str) -> None:
        """Returns once exactly these objects are known."""
        async with asyncio.timeout(WITHIN_S):
            while sorted(name for _, name in self.followed.objects) != sorted(expected):
                self.changed.clear()
                await self.changed.wait()

    async def watched(self) -> None:
        """Returns once a watch is open."""
        async with asyncio.timeout(WITHIN_S):
            while not self.fake.watchers:
                self.fake.changed.clear()
                await self.fake.changed.wait()


def play(folder: Path, script: Callable[[Scene], object]) -> None:
    async def run() -> None:
        fake, changed = FakeApiServer(), asyncio.Event()
        fake.put("first")
        async with serving(fake, folder) as client:
            followed: Followed[str] = Followed(
                client, "/api/v1/things", lambda item: item["metadata"]["resourceVersion"], changed.set
            )
            task = asyncio.ensure_future(followed.follow())
            try:
                await script(Scene(fake, followed, changed))  # type: ignore[misc]
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_what_comes_and_goes_after_the_list_is_known(folder: Path) -> None:
    async def script(scene: Scene) -> None:
        await scene.names("first")
        await scene.watched()
        scene.fake.put("second")
        await scene.names("first", "second")
        scene.fake.put("first", "DELETED")
        await scene.names("second")
        assert scene.fake.lists == 1

    play(folder, script)


def test_a_connection_that_is_cut_goes_on_where_it_was(folder: Path) -> None:
    async def script(scene: Scene) -> None:
        await scene.watched()
        scene.fake.hang_up()
        await scene.watched()
        scene.fake.put("second")
        await scene.names("first", "second")
        assert scene.fake.lists == 1

    play(folder, script)


def test_a_version_that_the_server_has_forgotten_means_a_new_list(folder: Path) -> None:
    async def script(scene: Scene) -> None:
        await scene.watched()
        scene.fake.hang_up()
        scene.fake.put("second")
        scene.fake.put("first", "DELETED")
        scene.fake.oldest = scene.fake.version
        await scene.names("second")
        assert scene.fake.lists == 2

    play(folder, script)


def test_what_the_server_refuses_is_told_with_its_reason(folder: Path) -> None:
    async def run() -> None:
        async with serving(FakeApiServer(), folder) as client:
            (folder / "token").write_text("somebody else's")
            with pytest.raises(ApiError, match="401 who are you") as refused:
                await client.ask("GET", "/api/v1/things")
            assert refused.value.status == 401

    asyncio.run(run())
