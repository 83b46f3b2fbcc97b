"""Which core a CPU belongs to, as the kernel tells it. Decides nothing."""

from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")


def core_of(cpu: int) -> str:
    """The CPUs that share its core (`0,4`), equal for all of them; the CPU's own number where the kernel doesn't tell."""
    try:
        return (CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)
