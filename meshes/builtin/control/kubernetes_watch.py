"""Follows one kind of objects: a list, then a watch from its version, and a new list when that version is forgotten (410).

What is known stays while the API server is away. Knows no kind: `slim` makes of an object what is worth keeping.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Generic, Protocol, TypeVar

from meshes.builtin.control.kubernetes_client import ApiError

GONE = 410
WATCH_S = 300
AGAIN_S = (0.2, 5.0)

Json = dict[str, Any]
Slim = TypeVar("Slim")


class Api(Protocol):
    """The two questions."""

    async def ask(self, method: str, path: str) -> Json: ...
    def watch(self, path: str) -> AsyncIterator[Json]: ...


class Followed(Generic[Slim]):
    """`objects` by (namespace, name); `changed` is called after each change, `known` is set after the first list."""

    def __init__(
        self, api: Api, path: str, slim: Callable[[Json], Slim | None], changed: Callable[[], None], selector: str = ""
    ) -> None:
        self._api = api
        self._path = path
        self._selector = selector
        self._slim = slim
        self._changed = changed
        self._version = ""
        self.objects: dict[tuple[str, str], Slim] = {}
        self.known = asyncio.Event()

    async def follow(self) -> None:
        """For ever."""
        wait_s = AGAIN_S[0]
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                wait_s = AGAIN_S[0]
            except ApiError as error:
                if error.status == GONE:
                    self._version = ""
                    continue
                print(f"control: {error}", file=sys.stderr)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, AGAIN_S[1])

    async def _list(self) -> None:
        listed = await self._api.ask("GET", f"{self._path}?{self._selector}")
        found = {_key(item): self._slim(item) for item in listed.get("items") or ()}
        self.objects = {key: slim for key, slim in found.items() if slim is not None}
        self._version = listed["metadata"]["resourceVersion"]
        self.known.set()
        self._changed()

    async def _watch(self) -> None:
        query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_S}&resourceVersion={self._version}"
        events = self._api.watch(f"{self._path}?{query}&{self._selector}")
        async with aclosing(events) as open_events:  # type: ignore[type-var]
            async for event in open_events:
                self._take(event["type"], event["object"])

    def _take(self, kind: str, item: Json) -> None:
        if kind == "ERROR":
            raise ApiError(int(item.get("code", 0)), f"watch {self._path}: {item.get('message', 'an error')}")
        self._version = item["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return
        key = _key(item)
        slim = None if kind == "DELETED" else self._slim(item)
        if slim == self.objects.get(key):
            return
        if slim is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = slim
        self._changed()


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
