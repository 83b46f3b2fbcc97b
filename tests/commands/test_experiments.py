"""What `hoptax run` does with its words; whole runs are in tests/test_cli.py."""

import pytest

from harness.commands.experiments import split_arms


@pytest.mark.parametrize(
    ("text", "arms"),
    [("", ()), ("a", ("a",)), ("a,b[x,y] , c[z],", ("a", "b[x,y]", "c[z]")), ("a[x", ("a[x",))],
)
def test_commas_inside_brackets_belong_to_the_arm(text: str, arms: tuple[str, ...]) -> None:
    assert split_arms(text) == arms
