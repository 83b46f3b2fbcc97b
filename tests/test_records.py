"""Dataclasses to JSON and back, and what is refused on the way."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.model.run import Run
from harness.records import from_json, to_json
from tests.analysis import synthetic


@dataclass(frozen=True)
class Inner:
    counts: dict[int, int]
    share: float = 1.0


@dataclass(frozen=True)
class Outer:
    name: str
    good: bool
    inner: tuple[Inner, ...]
    free: list[dict[str, Any]] = field(default_factory=list)


DOCUMENT = {"name": "x", "good": True, "inner": [{"counts": {"5": 1}, "share": 2}], "free": [{"a": None}]}
RECORD = Outer("x", True, (Inner({5: 1}, 2),), [{"a": None}])


def test_there_and_back() -> None:
    assert from_json(Outer, DOCUMENT) == RECORD
    assert json.loads(json.dumps(to_json(RECORD))) == DOCUMENT


def test_a_run_survives_the_way() -> None:
    run = synthetic.result(rounds=1, rows=100).runs[1]
    assert from_json(Run, json.loads(json.dumps(to_json(run)))) == run


def test_unknown_keys_are_passed_over_and_defaults_filled_in() -> None:
    found = from_json(Outer, {"name": "x", "good": False, "inner": [{"counts": {}, "later": 1}], "later": {}})
    assert found == Outer("x", False, (Inner({}),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 5}, "name: 5 is no text"),
        ({"good": 1}, "good: 1 is no true or false"),
        ({"inner": {}}, "inner: {} is no list"),
        ({"inner": [3]}, r"inner\.0: 3 is no object"),
        ({"inner": [{}]}, r"inner\.0\.counts is missing"),
        ({"inner": [{"counts": {"5": 1.5}}]}, r"inner\.0\.counts\.5: 1\.5 is no whole number"),
        ({"inner": [{"counts": {"5": True}}]}, r"inner\.0\.counts\.5: True is no whole number"),
        ({"inner": [{"counts": {"x": 1}}]}, r"inner\.0\.counts: 'x' is no whole number"),
        ({"inner": [{"counts": {}, "share": "1"}]}, r"inner\.0\.share: '1' is no number"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(Outer, DOCUMENT | change)


def test_something_else_than_an_object() -> None:
    with pytest.raises(ValueError, match="the record: None is no object"):
        from_json(Outer, None)
