"""Whatever is sent as a snapshot: it is obeyed as it was written, or refused in a sentence; nothing else, in bounded time.

The corpus holds a snapshot per part that one may have; what comes back from one is changed in one place, or is bytes of anything.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes.builtin.snapshot import Snapshot, SnapshotError

CORPUS = sorted((Path(__file__).parent / "corpus" / "snapshot").glob("*.json"))
Document = dict[str, Any]

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "spiffe://hoptax/a", "127.0.0.1:0", "[::1]:1", "0.0.0.0:65536", "::1:1", "b\r\nx", "1e309"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, each in inner for found in ((*path, key), *places(each, (*path, key)))]


def changed(document: Document, path: tuple[Any, ...], value: object, *, gone: bool) -> None:
    *way, last = path
    holder: Any = document
    for key in way:
        holder = holder[key]
    if gone:
        del holder[last]
    else:
        holder[last] = value


def obeyed(document: Document) -> tuple[Snapshot | None, str]:
    """The snapshot, or what it is refused for."""
    try:
        return Snapshot.from_document(document), ""
    except SnapshotError as refused:
        return None, str(refused)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_corpus_is_obeyed_as_it_is_written(path: Path) -> None:
    snapshot = Snapshot.from_json(path.read_bytes())
    assert Snapshot.from_json(snapshot.to_json()) == snapshot
    assert json.loads(snapshot.to_json()) == json.loads(path.read_bytes())


@given(st.sampled_from(CORPUS), st.data())
@settings(max_examples=600, deadline=None)
def test_one_change_is_obeyed_or_refused(path: Path, data: st.DataObject) -> None:
    document: Document = json.loads(path.read_bytes())
    where = data.draw(st.sampled_from(places(document)))
    changed(document, where, data.draw(odd), gone=data.draw(st.booleans()))
    snapshot, said = obeyed(document)
    assert (snapshot is None) == (0 < len(said) < 2000)
    assert snapshot is None or Snapshot.from_json(snapshot.to_json()) == snapshot


@given(st.one_of(st.binary(max_size=64), st.text(max_size=64).map(str.encode)))
@settings(max_examples=300, deadline=None)
def test_bytes_of_anything_are_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        Snapshot.from_json(data)
