"""Judgements on access logs, and how lines are found among a sidecar's other output."""

import json
import time
from typing import Any, cast

import pytest

from harness.model.plan import Plan, Unit
from harness.model.platform import Deployment
from harness.probes import parity_log
from harness.probes.parity_log import CALLS, PATH, Lines
from tests.probes.fake import APP, app

PEER = "spiffe://hoptax.local/ns/default/sa/caller"


def line(side: str, **changed: Any) -> dict[str, Any]:
    known = {"direction": side, "method": "POST", "path": PATH, "host": "solo", "status": 200, "flag": "-"}
    sizes = {"bytes_in": 10, "bytes_out": 128, "duration_us": 812, "endpoint": "127.86.0.3:15006"}
    peer = PEER if side == "inbound" else None
    return known | sizes | {"time": f"{time.time_ns() / 1e9:.3f}", "peer": peer} | changed


def lines(**changed: Any) -> Lines:
    return {side: [line(side, **changed)] * CALLS for side in ("outbound", "inbound")}


def test_as_many_lines_as_calls_at_both_sidecars() -> None:
    assert parity_log.counted(lines()).passed
    assert not parity_log.counted({}).passed
    assert not parity_log.counted({"outbound": lines()["outbound"]}).passed
    assert not parity_log.counted(lines() | {"inbound": [line("inbound")] * (CALLS + 1)}).passed
    assert not parity_log.counted(lines() | {"many-0-sidecar": [line("inbound")]}).passed


def test_every_field_is_there_and_true() -> None:
    assert parity_log.told(lines(), PEER).passed
    assert parity_log.told(lines(peer="", flag=""), "").passed
    assert not parity_log.told({}, "").passed


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "GET"},
        {"path": "/"},
        {"status": "200"},
        {"bytes_in": 0},
        {"bytes_out": 0},
        {"duration_us": 0},
        {"duration_us": "-"},
        {"endpoint": None},
        {"peer": "spiffe://hoptax.local/ns/default/sa/other"},
        {"time": "2026-11-23"},
        {"time": 1.0},
        {"flag": "UF"},
    ],
    ids=str,
)
def test_a_field_that_is_wrong_is_named(wrong: dict[str, Any]) -> None:
    proof = parity_log.told(lines(**wrong), PEER)

    assert not proof.passed
    assert next(iter(wrong)) in proof.seen


def test_a_field_that_is_missing_is_named() -> None:
    short = {key: value for key, value in line("inbound").items() if key != "peer"}

    proof = parity_log.told(lines() | {"inbound": [short]}, PEER)

    assert (proof.passed, "peer missing" in proof.seen) == (False, True)


def test_without_it_nothing_is_written() -> None:
    assert parity_log.silent({}).passed
    assert not parity_log.silent(lines()).passed


class Logged:
    """What is used of a deployment: units, and what each wrote."""

    def __init__(self, written: dict[Unit, str]) -> None:
        self.plan = Plan(tuple(written), entry_host="caller-0")
        self._written = {unit.name: text for unit, text in written.items()}

    def log(self, unit: str) -> str:
        return self._written[unit]


def test_lines_are_told_apart_from_other_output_and_by_where_they_lie() -> None:
    others = ["starting", json.dumps(line("outbound", path="/")), f"half a line {PATH}"]
    text = "\n".join([*others, json.dumps(line("outbound")), json.dumps(line("inbound"))])
    sidecar = Unit("caller-0-sidecar", "sidecar", "caller-0", APP)

    found = parity_log.read(cast("Deployment", Logged({sidecar: text, app("caller-0"): text})))

    assert {side: len(each) for side, each in found.items()} == {"outbound": 1, "caller-0-sidecar": 2}
