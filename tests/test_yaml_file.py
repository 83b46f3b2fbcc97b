"""YAML files of people: what can't be read, is no YAML or says a thing twice is refused in one line that begins with the file."""

from pathlib import Path

import pytest

from harness.model.errors import UsageError
from harness.yaml_file import read_yaml, short


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_yaml("topology", path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"topology {path} ")
    return str(caught.value).removeprefix(f"topology {path} ")


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\x00", "!!python/object:os.system x", "? [a]\n: b", "a: *x"])
def test_what_is_no_yaml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    assert refusal(path).startswith("is not YAML: ")


def test_a_key_that_stands_twice_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("services:\n  a: {}\n  a: {}")
    assert "key 'a' stands twice in \"<unicode string>\", line 3, column 3" in refusal(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "t.yaml")
    (tmp_path / "t.yaml").write_bytes(b"name: \xff")
    assert "can't be read: 'utf-8' codec" in refusal(tmp_path / "t.yaml")


def test_values_in_messages_are_never_more_than_a_line() -> None:
    assert short("x") == "'x'"
    assert len(short(["x" * 40] * 40)) <= 60
