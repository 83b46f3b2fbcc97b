"""Objects of others: read, labelled, told apart."""

import pytest

from harness.model.errors import EnvironmentFailure
from harness.platforms import documents

TWO = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {app: x}}
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: b}}
"""


def test_documents_and_lists_are_read_and_empty_ones_passed_over() -> None:
    assert [each["metadata"]["name"] for each in documents.read(TWO, "x")] == ["a", "b"]


@pytest.mark.parametrize(("text", "why"), [("a: [", "is no YAML"), ("just words", "no Kubernetes object: just words")])
def test_what_is_none_is_named_with_its_author(text: str, why: str) -> None:
    with pytest.raises(EnvironmentFailure, match=f"manifest 'm'.*{why}"):
        documents.read(text, "manifest 'm'")


def test_labels_are_added_to_those_there() -> None:
    labelled = documents.labelled(documents.read(TWO, "x"), {"ours": "yes"})
    assert [each["metadata"]["labels"] for each in labelled] == [{"app": "x", "ours": "yes"}, {"ours": "yes"}]


def test_what_is_gone_is_told_last_first() -> None:
    first, second = documents.read(TWO, "x")
    assert documents.gone([first, second], []) == [second, first]
    assert documents.gone([first, second], [first | {"data": {"new": "1"}}]) == [second]


def test_objects_of_others_are_told_by_their_label() -> None:
    first, second = documents.read(TWO, "x")
    ours = documents.labelled([first], {"run": "1"})
    assert documents.foreign([*ours, second], "run", "1") == ["Namespace/b"]
