"""The files of a verdict beside the page: by name, what writes them."""

from collections.abc import Callable, Mapping
from typing import Any

from harness.report.junit import junit
from harness.report.markdown import markdown

JUNIT, MARKDOWN = "junit.xml", "verdict.md"

VERDICT_FILES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    JUNIT: junit,
    MARKDOWN: markdown,
}  # Any: summary.json
