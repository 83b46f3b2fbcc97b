"""The rows of closed-loop users: what counts, what is warm-up, what went wrong."""

import socket

import pytest

from harness.load.journal import Journal, error_kind
from harness.load.rows import ERROR_KINDS

WINDOW_NS, OVER_NS = 1000, 2000


def journal() -> Journal:
    made = Journal()
    made.finished("GET b", 1, 1500, 1600, 1700, 200, "", 10)
    made.finished("GET a", 0, 900, 950, 1800, 503, "status", 20)
    made.finished("GET a", 0, 2000, 2100, 2200, 200, "", 30)
    made.unfinished("GET b", 1, 1999)
    return made


def test_rows_are_by_time_of_sending_and_end_with_the_window() -> None:
    rows = journal().rows("r", 2, 3, WINDOW_NS, OVER_NS)
    assert rows.sent.tolist() == rows.due.tolist() == rows.ready.tolist() == [900, 1500, 1999]
    assert rows.in_window.tolist() == [False, True, True]
    assert rows.done.tolist() == [1800, 1700, 0]
    assert rows.first_byte.tolist() == [950, 1600, 0]
    assert [rows.names[number] for number in rows.name] == ["GET a", "GET b", "GET b"]
    assert [ERROR_KINDS[number] for number in rows.error_kind] == ["status", "", ""]
    assert rows.seq.tolist() == [2, 5, 8]
    assert (set(rows.worker), rows.connection.tolist()) == ({2}, [0, 1, 1])


def test_a_second_holds_what_was_finished_since_the_last() -> None:
    made = journal()
    assert made.second().answered == 3
    assert made.second().finished == 0
    made.finished("GET c", 0, 3000, 0, 3256, 200, "", 1)
    assert made.second().buckets == {256: 1}


def test_no_request_at_all_leaves_no_rows() -> None:
    assert len(Journal().rows("r", 0, 1, WINDOW_NS, OVER_NS)) == 0


@pytest.mark.parametrize(
    ("status", "failure", "expected"),
    [
        (200, None, ""),
        (404, None, ""),
        (200, ValueError("the basket is empty"), "status"),
        (503, ConnectionError("bad status"), "status"),
        (0, ConnectionRefusedError(111, "refused"), "connect"),
        (0, socket.gaierror(-2, "unknown"), "connect"),
        (0, TimeoutError("timed out"), "timeout"),
        (0, ConnectionResetError(104, "reset"), "reset"),
        (0, BrokenPipeError(32, "pipe"), "reset"),
        (0, ConnectionError("http://h/", ConnectionResetError(104, "reset")), "reset"),
        (0, ConnectionError("end of file"), "closed"),
    ],
)
def test_an_exception_says_what_went_wrong(status: int, failure: BaseException | None, expected: str) -> None:
    assert error_kind(status, failure) == expected
