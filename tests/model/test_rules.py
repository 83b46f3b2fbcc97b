"""The registry of rules: every rule says what it asks and why, and values are written as people read them."""

import pytest

from harness.model.rules import BY_NAME, REGISTRY, RULES, Unit, rules_listed, said


def test_every_rule_says_what_it_asks_why_and_by_whose_advice() -> None:
    assert len(BY_NAME) == len(REGISTRY)
    assert all(rule.asks and rule.reason and rule.source for rule in REGISTRY)
    assert all(rule.default is None or rule.default > 0 for rule in REGISTRY)


def test_what_is_listed() -> None:
    listed = {row["name"]: row for row in rules_listed()}
    assert list(listed) == [rule.name for rule in REGISTRY]
    assert listed["p50-per-hop"]["about"].endswith("(default: 1 ms)")
    assert listed["errors-equal"]["about"].endswith("(default: ±0.1 %)")
    assert listed["p50-added"]["about"].endswith("(default: off)")
    assert listed["validity"]["about"].endswith("(default: always)")
    assert {name: row["about"] for name, row in listed.items()} == RULES


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (950.0, "us", "950 µs"),
        (1000.0, "us", "1 ms"),
        (-1234.5, "us", "−1.234 ms"),
        (0.0, "us", "0 µs"),
        (0.001, "share", "0.1 %"),
        (2.5e-8, "share", "0.0000025 %"),
        (2.0, "1", "2×"),
        (123456.0, "1", "123456×"),
    ],
)
def test_values_are_written_without_exponent(value: float, unit: Unit, text: str) -> None:
    assert said(value, unit) == text
