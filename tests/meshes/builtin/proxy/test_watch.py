"""The watch against a control plane made of lines: what is obeyed, what is refused, what ends the stream."""

import asyncio
import json
from typing import Any, cast

import pytest

from meshes.builtin.proxy.control import ControlError, ControlPlane
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.proxy.watch import MAX_LINE_BYTES, Lines, Watch
from meshes.builtin.snapshot import Endpoint, Inbound, Snapshot, SnapshotError

SNAPSHOT = Snapshot(7, "spiffe://hoptax/a", "hoptax", Inbound(Endpoint("127.0.0.1", 1)))


class _Control:
    """Gives one stream after the other, then blocks; keeps what it is told."""

    name = "a-0"

    def __init__(self, *streams: list[bytes]) -> None:
        self._streams = list(streams)
        self._pieces: list[bytes] = []
        self.asked: list[str] = []
        self.acks: list[dict[str, Any]] = []  # Any: JSON values
        self.exhausted = asyncio.Event()

    async def stream(self, path: str) -> "_Control":
        self.asked.append(path)
        if not self._streams:
            self.exhausted.set()
            raise ControlError("gone")
        self._pieces = self._streams.pop(0)
        return self

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def post(self, path: str, body: bytes, kind: str) -> bytes:
        self.acks.append(json.loads(body))
        return b""

    def close(self) -> None: ...


def line(document: object) -> bytes:
    return json.dumps(document).encode() + b"\n"


def followed(*streams: list[bytes]) -> tuple[_Control, list[Snapshot], Telemetry]:
    """What became of these streams, each a list of pieces."""

    async def scenario() -> tuple[_Control, list[Snapshot], Telemetry]:
        control, obeyed, telemetry = _Control(*streams), [], Telemetry()

        async def obey(snapshot: Snapshot) -> None:
            if snapshot.version == 13:
                raise SnapshotError("13 brings bad luck")
            obeyed.append(snapshot)
            telemetry.snapshot_version = snapshot.version

        watch = Watch(cast("ControlPlane", control), obey, telemetry, lambda: 0.0)
        task = asyncio.ensure_future(watch.follow())
        async with asyncio.timeout(5):
            await control.exhausted.wait()
        task.cancel()
        return control, obeyed, telemetry

    return asyncio.run(scenario())


def test_a_snapshot_in_pieces_is_obeyed_and_acknowledged() -> None:
    text = (
        line({"kind": "heartbeat"})
        + line({"kind": "snapshot", "snapshot": SNAPSHOT.document()})
        + line({"kind": "news"})
    )
    control, obeyed, _ = followed([text[n : n + 50] for n in range(0, len(text), 50)])
    assert obeyed == [SNAPSHOT]
    assert control.acks == [{"version": 7, "ok": True, "error": ""}]
    assert control.asked == ["/v1/watch?name=a-0&version=0", "/v1/watch?name=a-0&version=7"]


def test_refused_snapshots_are_reported_with_the_reason() -> None:
    unlucky = SNAPSHOT.document() | {"version": 13}
    broken = SNAPSHOT.document() | {"extra": 1}
    pieces = [line({"kind": "snapshot", "snapshot": document}) for document in (unlucky, broken, SNAPSHOT.document())]
    control, obeyed, telemetry = followed(pieces)
    assert [(ack["version"], ack["ok"]) for ack in control.acks] == [(13, False), (0, False), (7, True)]
    assert "bad luck" in control.acks[0]["error"]
    assert "unknown keys: extra" in control.acks[1]["error"]
    assert obeyed == [SNAPSHOT]
    assert telemetry.snapshots_refused == 2


def test_nonsense_ends_the_stream_and_the_next_one_is_asked_for() -> None:
    control, obeyed, telemetry = followed(
        [b"nonsense\n"], [line({"kind": "snapshot", "snapshot": SNAPSHOT.document()})]
    )
    assert obeyed == [SNAPSHOT]
    assert telemetry.control_errors >= 1
    assert len(control.asked) == 3


def test_lines_are_bounded() -> None:
    lines = Lines()
    assert lines.feed(b"a\nb") == [b"a"]
    assert lines.feed(b"c\n\n") == [b"bc", b""]
    with pytest.raises(ControlError):
        lines.feed(b"x" * (MAX_LINE_BYTES + 1))
