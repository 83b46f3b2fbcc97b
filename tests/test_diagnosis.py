"""The judgement over made-up facts: what is fine, what is noisy, what stops, and that each trouble has a remedy."""

from dataclasses import replace
from typing import Any

import pytest

from harness.diagnosis import Finding, can_measure, judge, judge_tools, warnings
from harness.probes.jitter import Jitter
from harness.probes.surroundings import Noise, Surroundings, Tool

QUIET = Jitter(1, 2.0, 0.001, 0.0005, 0.0, 0, 0.4)
NOISE = Noise(4.0, 0.01, 0.001, QUIET, replace(QUIET, cpu=0))
FINE = Surroundings(
    operating_system="Linux",
    architecture="x86_64",
    system_cpus=(0,),
    load_cpus=(1,),
    cores=2,
    governor="none",
    clock_source="tsc",
    quota_cpus=None,
    memory_available_bytes=8 << 30,
    memory_limit_bytes=None,
    open_files=1024,
    open_files_most=4096,
    ephemeral_ports=28232,
    taken_ports=(),
    noise=NOISE,
)
HOST_LATE = replace(QUIET, lost_share=0.03, others_share=0.001, late_share=0.0101, late_gaps=4, longest_ms=15.1)


def finding(facts: Surroundings, subject: str) -> Finding:
    (found,) = (each for each in judge(facts) if each.subject == subject)
    return found


def test_a_quiet_machine_has_nothing_to_tell() -> None:
    found = judge(FINE)
    assert {each.state for each in found} == {"present"}
    assert can_measure(found)
    assert list(warnings(found)) == []
    assert all(each.said for each in found)


def test_noise_that_was_not_measured_is_not_judged() -> None:
    assert len(judge(FINE)) - len(judge(replace(FINE, noise=None))) == 4


@pytest.mark.parametrize(
    ("subject", "change", "said", "stops"),
    [
        ("system", {"operating_system": "Darwin"}, "Darwin on x86_64", True),
        ("system", {"architecture": "ppc64le"}, "Linux on ppc64le", True),
        ("cores", {"system_cpus": (0,), "load_cpus": (0,), "cores": 1}, "1 CPU on 1 core: load and system", False),
        ("cores", {"cores": 1}, "two threads of one core", False),
        ("CPU quota", {"quota_cpus": 1.6}, "may use 1.6 of 2 CPUs", False),
        ("CPU quota", {"quota_cpus": 1.49}, "is halted for the rest of a period", True),
        ("governor", {"governor": "powersave"}, "powersave changes the clock rate", False),
        ("clock source", {"clock_source": "hpet"}, "hpet: each stamp is a system call", False),
        ("memory", {"memory_available_bytes": 900 << 20}, "0.9 GiB available", False),
        ("memory", {"memory_available_bytes": 200 << 20}, "0.2 GiB available", True),
        ("memory", {"memory_limit_bytes": 128 << 20}, "the container's limit is 0.1 GiB", True),
        ("open files", {"open_files": 1023}, "1,023 may be open (at most 4,096)", True),
        ("ports", {"taken_ports": (8080, 15001)}, "8080, 15001 taken on every address", True),
        ("ports", {"ephemeral_ports": 2000}, "2,000 for connections", False),
        (
            "background load",
            {"noise": replace(NOISE, background_cpus=0.11)},
            "other programs use 0.11 of 2 CPUs",
            False,
        ),
        ("steal", {"noise": replace(NOISE, steal_share=0.006)}, "the host took 0.6% of the CPU time", False),
        (
            "jitter of the load's CPU",
            {"noise": replace(NOISE, load=replace(QUIET, late_share=0.004))},
            "0.40% of requests would start over 1 ms late (allowed 1%)",
            False,
        ),
        ("jitter of the load's CPU", {"noise": replace(NOISE, load=HOST_LATE)}, "the longest of 15.1 ms", True),
        (
            "jitter of the system's CPU",
            {"noise": replace(NOISE, system=replace(HOST_LATE, cpu=0))},
            "a loop on CPU 0 lost 3.00% of 2.0 s, 4 gaps over 1 ms",
            False,
        ),
    ],
)
def test_each_trouble_is_told_with_a_remedy(subject: str, change: dict[str, Any], said: str, stops: bool) -> None:
    facts = replace(FINE, **change)
    found = finding(facts, subject)
    assert found.state == ("missing" if stops and subject in MISSING else "noisy")
    assert said in found.said
    assert found.remedy
    assert found.stops is stops
    assert [each.subject for each in judge(facts) if each.state != "present"] == [subject]
    assert can_measure(judge(facts)) is not stops
    assert list(warnings(judge(facts))) == [f"{subject}: {found.said}; {found.remedy}"]


MISSING = {"system", "memory", "open files", "ports"}


@pytest.mark.parametrize("quota", [2.0, 4.0])
def test_a_quota_of_whole_cpus_is_none(quota: float) -> None:
    assert finding(replace(FINE, quota_cpus=quota), "CPU quota").state == "present"


def test_a_clock_that_the_kernel_does_not_name_is_no_trouble() -> None:
    assert finding(replace(FINE, clock_source=""), "clock source").said == "not told"


def test_who_took_the_time_decides_the_remedy() -> None:
    host = finding(replace(FINE, noise=replace(NOISE, load=HOST_LATE)), "jitter of the load's CPU")
    mine = replace(HOST_LATE, others_share=0.02)
    others = finding(replace(FINE, noise=replace(NOISE, load=mine)), "jitter of the load's CPU")
    assert host.remedy.startswith("the host took it")
    assert others.remedy == "other programs took it: end them"


def test_a_missing_tool_never_stops() -> None:
    found = judge_tools(
        [Tool("envoy", False, "not there", "arm envoy", "get it"), Tool("kind", True, "0.30", "clusters", "")]
    )
    assert found == [
        Finding("envoy", "missing", "not there (for arm envoy)", "get it"),
        Finding("kind", "present", "0.30 (for clusters)", ""),
    ]
    assert can_measure(found)
