"""What `hoptax load` reports of a run: the rows of its window in one JSON object. Pure.

Quantiles are over all rows of the window. A request without an answer is later than every answered one, so a quantile that
falls among those has no value (null); nor has one for which there are too few rows (fewer than 10/(1−q)).
"""

from typing import Any

from harness.analysis.histogram import exact_quantiles
from harness.analysis.requests import latencies
from harness.load.rows import ERROR_KINDS, Rows
from harness.load.validity import generator_reasons
from harness.model.run import Generator, Workload
from harness.records import to_json

ENGINE_ALONE = Workload()
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def summarise(
    generator: Generator, rows: Rows, workload: Workload = ENGINE_ALONE, reasons: tuple[str, ...] = ()
) -> dict[str, Any]:  # Any: JSON values
    """due = done + errors + censored; `max` is null as soon as one request has no answer, `achieved_rps` counts done.

    `reasons` are those that only the engine could know.
    """
    times = latencies(rows)
    reasons = (*reasons, *generator_reasons(generator))
    return {
        "loop": workload.loop,
        "workload": to_json(workload),
        "clocks": to_json(generator.clocks),
        "due": generator.due,
        "sent": generator.sent,
        "done": generator.done,
        "censored": generator.censored,
        "errors": generator.errors,
        "error_kinds": _error_kinds(rows),
        "achieved_rps": round(generator.done / (generator.window_ns / 1e9), 1),
        "lateness_us": {name: generator.lateness_us.get(name) for name in ("p50", "p99")},
        "service_us": _quantiles_us(times.service_ns, times.unanswered),
        "response_us": _quantiles_us(times.response_ns, times.unanswered),
        "validity": {"valid": not reasons, "reasons": list(reasons)},
    }


def _quantiles_us(values_ns: Any, unanswered: int) -> dict[str, float | None]:
    found = exact_quantiles(values_ns, unanswered, list(QUANTILES.values()))
    most = float(values_ns.max()) if len(values_ns) and not unanswered else None
    values = {name: found[q] for name, q in QUANTILES.items()} | {"max": most}
    return {name: None if value is None else value / 1e3 for name, value in values.items()}


def _error_kinds(rows: Rows) -> dict[str, int]:
    kinds = rows.error_kind[rows.in_window]
    return {
        name: count for number, name in enumerate(ERROR_KINDS) if number and (count := int((kinds == number).sum()))
    }
