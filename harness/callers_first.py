"""The order of services in a topology: callers before callees, depth-first. Pure; a cycle is refused with its way."""

from collections.abc import Iterator, Mapping, Sequence

from harness.model.errors import UsageError


def callers_first(calls: Mapping[str, Sequence[str]], entry: str) -> list[str]:
    """Every key of `calls`, callers before those they call, the entry's first; UsageError shows a cycle.

    It doesn't recurse: a chain may be longer than Python's stack.
    """
    finished: dict[str, None] = {}
    for start in [*(name for name in reversed(list(calls)) if name != entry), entry]:
        _visit(start, calls, finished)
    return list(reversed(finished))


def _visit(start: str, calls: Mapping[str, Sequence[str]], finished: dict[str, None]) -> None:
    """Adds what is called from `start` and then itself; a service met again on the way down closes a cycle."""
    way: dict[str, Iterator[str]] = {} if start in finished else {start: reversed(calls[start])}
    while way:
        name = next(reversed(way))
        callee = next(way[name], None)
        if callee is None:
            finished[name] = None
            del way[name]
        elif callee in way:
            passed = list(way)
            cycle = " > ".join([*passed[passed.index(callee) :], callee])
            raise UsageError(f"{cycle} is a cycle: a request would never end; remove one of the calls")
        elif callee not in finished:
            way[callee] = reversed(calls[callee])
