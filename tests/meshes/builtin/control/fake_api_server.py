"""A small Kubernetes API server: HTTP/1.1 over TLS, list, watch with resourceVersion, create, patch. For tests."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from meshes.builtin.control.kubernetes_client import ApiServer, Client

Json = dict[str, Any]
TOKEN = "the-account's-token"


class FakeApiServer:
    """`events` are (version, event) in order; a watch from before `oldest` is gone (410)."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.version = 0
        self.oldest = 0
        self.lists = 0
        self.watchers: list[asyncio.StreamWriter] = []
        self.changed = asyncio.Event()

    def put(self, name: str, kind: str = "ADDED", **fields: Any) -> None:
        """Change an object; those who watch are told."""
        self.version += 1
        item = {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(self.version)}} | fields
        if kind == "DELETED":
            self.objects.pop(name)
        else:
            self.objects[name] = item
        self.tell({"type": kind, "object": item})

    def tell(self, event: Json) -> None:
        line = json.dumps(event).encode() + b"\n"
        for writer in self.watchers:
            writer.write(b"%x\r\n%b\r\n" % (len(line), line))

    def hang_up(self) -> None:
        """As a server that is started again."""
        for writer in self.watchers:
            writer.transport.abort()
        self.watchers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ", 2)[1]
        if f"authorization: Bearer {TOKEN}" not in head:
            self._answer(writer, "401 Unauthorized", {"message": "who are you?"})
        elif "watch=1" not in path:
            self.lists += 1
            metadata = {"resourceVersion": str(self.version)}
            self._answer(writer, "200 OK", {"metadata": metadata, "items": list(self.objects.values())})
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            self.watchers.append(writer)
            if int(path.partition("resourceVersion=")[2].partition("&")[0]) < self.oldest:
                self.tell({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
            self.changed.set()

    def _answer(self, writer: asyncio.StreamWriter, status: str, document: Json) -> None:
        body = json.dumps(document).encode()
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()


@asynccontextmanager
async def serving(fake: FakeApiServer, folder: Path) -> AsyncIterator[Client]:
    """A client of the fake server; `folder` has the server's `cert.pem`, `key.pem` and `ca.pem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    (folder / "token").write_text(TOKEN + "\n")
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield Client(ApiServer("localhost", port, folder / "ca.pem", folder / "token"))
    finally:
        fake.hang_up()
        server.close()
