"""Judges whether a machine can measure, from facts that were gathered elsewhere: present, missing or noisy, with a remedy. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.load.validity import MOST_LATE_SHARE
from harness.pilot import TARGET_UTILISATION
from harness.probes.jitter import Jitter
from harness.probes.surroundings import Surroundings, Tool

State = Literal["present", "missing", "noisy"]

SYSTEMS = ("Linux",)
ARCHITECTURES = ("x86_64", "aarch64")
STEADY_GOVERNORS = ("none", "performance")
FAST_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page", "")
"""Read without a system call. "" is a kernel that doesn't tell."""

LEAST_OPEN_FILES = 1024
LEAST_EPHEMERAL_PORTS = 2048
LEAST_MEMORY_BYTES = 256 << 20
ROOMY_MEMORY_BYTES = 1 << 30
"""A chain of four with Envoy takes half of it."""

NOISY_LATE_SHARE = MOST_LATE_SHARE / 4
NOISY_LOST_SHARE = 0.01
NOISY_STEAL_SHARE = 0.005
NOISY_BACKGROUND_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, the fact in words, and what to do; `stops` if nothing can be measured like that."""

    subject: str
    state: State
    said: str
    remedy: str = ""
    stops: bool = False


def judge(facts: Surroundings) -> list[Finding]:
    """One finding per subject, noise only where it was measured."""
    found = [
        _system(facts),
        _cores(facts),
        _quota(facts),
        _governor(facts),
        _clock(facts),
        _memory(facts),
        _files(facts),
        _ports(facts),
    ]
    return found + list(_noise(facts))


def judge_tools(tools: Iterable[Tool]) -> list[Finding]:
    """The process platform can do without any of them, so none stops."""
    return [
        Finding(tool.name, "present" if tool.present else "missing", f"{tool.said} (for {tool.purpose})", tool.remedy)
        for tool in tools
    ]


def can_measure(findings: Iterable[Finding]) -> bool:
    """Whether a run on the process platform can be valid."""
    return not any(finding.stops for finding in findings)


def warnings(findings: Iterable[Finding]) -> Iterator[str]:
    """What a run's reader has to know, a sentence each."""
    yield from (f"{each.subject}: {each.said}; {each.remedy}" for each in findings if each.state != "present")


def _system(facts: Surroundings) -> Finding:
    said = f"{facts.operating_system} on {facts.architecture}"
    if facts.operating_system in SYSTEMS and facts.architecture in ARCHITECTURES:
        return Finding("system", "present", said)
    return Finding("system", "missing", said, "use Linux on x86-64 or arm64", stops=True)


def _cores(facts: Surroundings) -> Finding:
    cpus = {*facts.system_cpus, *facts.load_cpus}
    said = f"{_count(len(cpus), 'CPU')} on {_count(facts.cores, 'core')}"
    if len(cpus) == 1:
        return Finding(
            "cores",
            "noisy",
            f"{said}: load and system under test take it from each other, so figures are too high",
            "give this machine or container two CPUs",
        )
    said += f": {_list(facts.system_cpus)} for the system under test, {_list(facts.load_cpus)} for the load"
    if facts.cores == 1:
        return Finding("cores", "noisy", f"{said}, two threads of one core", "use two cores, or switch SMT off")
    return Finding("cores", "present", said)


def _quota(facts: Surroundings) -> Finding:
    if facts.quota_cpus is None:
        return Finding("CPU quota", "present", "none")
    cpus = len({*facts.system_cpus, *facts.load_cpus})
    said = f"the container may use {facts.quota_cpus:g} of {_count(cpus, 'CPU')}"
    if facts.quota_cpus >= cpus:
        return Finding("CPU quota", "present", said)
    return Finding(
        "CPU quota",
        "noisy",
        f"{said}, and is halted for the rest of a period (100 ms mostly) when they are used up",
        "give it whole CPUs instead (docker: --cpuset-cpus; Kubernetes: static CPU policy), or a higher quota",
        stops=facts.quota_cpus < len(facts.load_cpus) + TARGET_UTILISATION * len(facts.system_cpus),
    )


def _governor(facts: Surroundings) -> Finding:
    if facts.governor in STEADY_GOVERNORS:
        said = "no frequency scaling to be seen" if facts.governor == "none" else facts.governor
        return Finding("governor", "present", said)
    return Finding(
        "governor",
        "noisy",
        f"{facts.governor} changes the clock rate with the load, so that a busier arm may look faster",
        "sudo cpupower frequency-set -g performance",
    )


def _clock(facts: Surroundings) -> Finding:
    if facts.clock_source in FAST_CLOCKS:
        return Finding("clock source", "present", facts.clock_source or "not told")
    return Finding(
        "clock source",
        "noisy",
        f"{facts.clock_source}: each stamp is a system call, which every arm pays",
        "boot with clocksource=tsc if the machine's is stable",
    )


def _memory(facts: Surroundings) -> Finding:
    free = min(facts.memory_available_bytes, facts.memory_limit_bytes or facts.memory_available_bytes)
    said = f"{free / 2**30:.1f} GiB available" + (
        f" (the container's limit is {facts.memory_limit_bytes / 2**30:.1f} GiB)" if facts.memory_limit_bytes else ""
    )
    remedy = f"free memory until {ROOMY_MEMORY_BYTES / 2**30:.0f} GiB is available"
    if free < LEAST_MEMORY_BYTES:
        return Finding("memory", "missing", said, remedy, stops=True)
    return (
        Finding("memory", "present", said) if free >= ROOMY_MEMORY_BYTES else Finding("memory", "noisy", said, remedy)
    )


def _files(facts: Surroundings) -> Finding:
    said = f"{facts.open_files:,} may be open (at most {facts.open_files_most:,})"
    if facts.open_files >= LEAST_OPEN_FILES:
        return Finding("open files", "present", said)
    return Finding("open files", "missing", said, f"ulimit -n {4 * LEAST_OPEN_FILES}", stops=True)


def _ports(facts: Surroundings) -> Finding:
    if facts.taken_ports:
        said = f"{_list(facts.taken_ports)} taken on every address by another program"
        return Finding("ports", "missing", said, "end that program (ss -ltnp names it)", stops=True)
    said = f"those of the units are free, {facts.ephemeral_ports:,} for connections"
    if facts.ephemeral_ports >= LEAST_EPHEMERAL_PORTS:
        return Finding("ports", "present", said)
    return Finding("ports", "noisy", said, "sudo sysctl -w net.ipv4.ip_local_port_range='32768 60999'")


def _noise(facts: Surroundings) -> Iterator[Finding]:
    noise = facts.noise
    if noise is None:
        return
    cpus = len({*facts.system_cpus, *facts.load_cpus})
    said = f"other programs use {noise.background_cpus:.2f} of {_count(cpus, 'CPU')}"
    busy = noise.background_cpus > NOISY_BACKGROUND_SHARE * cpus
    yield _quiet("background load", said, "end them (top names them), or wait", noisy=busy)
    said = f"the host took {noise.steal_share:.1%} of the CPU time by its own account"
    yield _quiet("steal", said, HOST, noisy=noise.steal_share > NOISY_STEAL_SHARE)
    void = noise.load.late_share > MOST_LATE_SHARE
    noisy = noise.load.late_share > NOISY_LATE_SHARE
    late = f"{_lost(noise.load)}; {noise.load.late_share:.2%} of requests would start over 1 ms late (allowed {MOST_LATE_SHARE:.0%})"
    yield _quiet("jitter of the load's CPU", late, _culprit(noise.load), noisy=noisy, stops=void)
    noisy = noise.system.lost_share > NOISY_LOST_SHARE
    yield _quiet("jitter of the system's CPU", _lost(noise.system), _culprit(noise.system), noisy=noisy)


HOST = "use a machine that shares its CPUs with nobody, or another hour"


def _quiet(subject: str, said: str, remedy: str, *, noisy: bool, stops: bool = False) -> Finding:
    return Finding(subject, "noisy", said, remedy, stops) if noisy else Finding(subject, "present", said)


def _lost(jitter: Jitter) -> str:
    gaps = f"{_count(jitter.late_gaps, 'gap')} over 1 ms, the longest of {jitter.longest_ms:g} ms"
    return f"a loop on CPU {jitter.cpu} lost {jitter.lost_share:.2%} of {jitter.elapsed_s:.1f} s, {gaps}"


def _culprit(jitter: Jitter) -> str:
    if jitter.others_share >= jitter.lost_share / 2:
        return "other programs took it: end them"
    return f"the host took it: {HOST}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
