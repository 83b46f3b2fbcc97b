"""CPU and memory on the page."""

from typing import Any

from harness.analysis.series import RoleCosts
from harness.report.cost_view import cost_section
from harness.report.figures import Cell, Figures


def cpu(scope: str, subject: str, estimate: float) -> dict[str, Any]:  # Any: JSON values
    return {
        "arm": "bare",
        "topology": "pair",
        "load": "low",
        "scope": scope,
        "subject": subject,
        "metric": "cpu_s_per_1000_requests",
        "statistic": "mean",
        "value": "absolute",
        "unit": "s",
        "estimate": estimate,
        "low": estimate,
        "high": estimate,
        "n": 8,
    }


def page(*estimates: dict[str, Any]) -> str:
    summary = {"reference": "bare", "arms": [{"id": "bare"}], "contrasts": [], "estimates": list(estimates)}
    return str(
        cost_section(
            "cost", "Costs", Figures(summary, Cell("pair", "low")), [RoleCosts("bare", {"app": 100.0}, {"app": 20.0})]
        )
    )


def test_what_carries_the_units_has_a_line_of_its_own_before_all() -> None:
    told = page(cpu("role", "total", 0.1), cpu("machine", "kubernetes", 0.35), cpu("machine", "system", 0.9))
    assert told.index("all roles") < told.index("Kubernetes itself") < told.rindex("these CPUs in all")
    assert "350" in told[told.index("Kubernetes itself") : told.rindex("these CPUs in all")]


def test_on_processes_nothing_carries_them() -> None:
    assert "itself" not in page(cpu("role", "total", 0.1), cpu("machine", "system", 0.9))
