"""The exceptions a caller decides on, one per decision; each knows the exit code it ends the program with.

A failed request is data, never an exception; a result that can't be trusted is a `Validity`, never an exception.
"""

from typing import ClassVar


class HoptaxError(Exception):
    """Base of every error that is shown as a message instead of a traceback.

    The text is one or two lines: the fact, the value, what is allowed, what to do.
    """

    exit_code: ClassVar[int] = 70


class UsageError(HoptaxError):
    """The caller asked for something that can't be: bad input, unknown name, a file of a newer schema."""

    exit_code = 2


class EnvironmentFailure(HoptaxError):
    """The machine let us down: a port taken, a program missing, a disk full, a unit that died."""

    exit_code = 4


def unknown(kind: str, name: str, have: object) -> UsageError:
    """The house form for a name nobody knows: `unknown mesh 'itsio': have baseline, builtin, envoy`."""
    known = ", ".join(sorted(map(str, have))) if isinstance(have, (list, tuple, set, frozenset, dict)) else str(have)
    return UsageError(f"unknown {kind} {name!r}: have {known or 'none'}")
