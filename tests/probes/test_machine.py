"""Facts about the machine, and what makes two machines one class."""

import getpass
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from harness.probes import machine

FACTS: dict[str, Any] = {  # Any: JSON values
    "cpu_model": "Some CPU @ 3 GHz",
    "cpus": 4,
    "memory_bytes": 15_900_000_000,
    "kernel": "6.1.0-13-amd64",
    "architecture": "x86_64",
    "load_average": 0.1,
    "steal_share": 0.0,
}


def test_the_facts_are_of_this_machine() -> None:
    facts = machine.facts()

    assert facts["cpus"] == len(os.sched_getaffinity(0))
    assert facts["memory_bytes"] > 2**28
    assert facts["cpu_model"]
    assert facts["cgroup"] in {1, 2}
    assert 0 <= facts["steal_share"] <= 1


def test_no_fact_names_host_or_user() -> None:
    words = re.findall(r"[\w.-]+", repr(machine.facts()))

    assert socket.gethostname() not in words
    assert getpass.getuser() not in words
    assert not any(str(value).startswith("/") for value in machine.facts().values())


def test_of_the_boot_there_is_a_digest_only() -> None:
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() not in repr(machine.facts())
    assert re.fullmatch(r"[0-9a-f]{16}", machine.facts()["boot"])


@pytest.mark.parametrize(
    "same", [{"memory_bytes": 13_200_000_000}, {"kernel": "6.1.55-other"}, {"load_average": 9.0}, {"steal_share": 0.5}]
)
def test_small_differences_leave_a_machine_in_its_class(same: dict[str, Any]) -> None:
    assert machine.machine_class(FACTS | same) == machine.machine_class(FACTS)


@pytest.mark.parametrize(
    "other",
    [
        {"memory_bytes": 17_200_000_000},
        {"kernel": "6.2.0"},
        {"cpus": 2},
        {"cpu_model": "Other"},
        {"architecture": "aarch64"},
    ],
)
def test_what_changes_figures_changes_the_class(other: dict[str, Any]) -> None:
    assert machine.machine_class(FACTS | other) != machine.machine_class(FACTS)
