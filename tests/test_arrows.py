"""The arrows of the design, and the one home of each third-party package, checked on every import in the tree."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"harness", "meshes", "workloads", "fixtures", "tests", "benchmarks"}

# folder prefix -> what it may import of ours, besides itself; the longest prefix decides
ALLOWED = {
    "harness/model": set(),
    "harness/wire": set(),
    "harness/analysis": {"harness.model", "harness.wire.buckets", "harness.load.rows", "harness.faults.evidence"},
    "harness/platforms": {"harness.model"},
    "harness/faults": {"harness.model"},
    "harness/report": {"harness.model", "harness.analysis", "harness.wire.buckets"},
    "harness": {"harness"},
    "meshes/builtin/proxy": {"meshes.builtin.snapshot", "meshes.builtin.policies", "meshes.builtin.policies_balancing"},
    "meshes": {"harness.model", "meshes"},
    "workloads/users": {"harness.load.locust_adapter"},
    "workloads": {"harness.wire", "harness.model"},
}

# Only processes of their own import Locust: it patches sockets and threads.
LOCUST = (
    "locust_adapter",
    "locust_crew",
    "locust_edges",
    "locust_file",
    "locust_journey",
    "locust_master",
    "locust_schedule",
    "locust_worker",
)

HOMES = {
    "psutil": {"harness/platforms", "harness/probes/machine.py"},
    "pandas": {"harness/store.py", "harness/analysis"},
    "pyarrow": {"harness/store.py", "harness/analysis"},
    "hdrh": {"harness/analysis/histogram.py"},
    "scipy": {"harness/analysis/intervals.py"},
    "pydantic": {"harness/topology.py", "harness/experiment.py", "harness/fault_file.py"},
    "yaml": {"harness/yaml_file.py", "harness/platforms/documents.py"},
    "typer": {"harness/cli.py", "harness/commands"},
    "rich": {"harness/cli.py", "harness/commands", "harness/report/terminal.py", "harness/report/progress.py"},
    "cryptography": {"meshes/identity"},
    "locust": {f"harness/load/{name}.py" for name in LOCUST} | {"workloads/users"},
    "gevent": {f"harness/load/{name}.py" for name in LOCUST},
    "hpack": {"meshes/builtin/proxy/http2"},
    "grpc": {"meshes/builtin/control", "workloads/service"},
    "envoy": {"meshes/builtin/control"},
    "google": {"meshes/builtin/control"},
}


def sources() -> Iterator[Path]:
    for folder in ("harness", "meshes", "workloads", "fixtures"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_the_design_allows(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    home = max((prefix for prefix in ALLOWED if name.startswith(prefix + "/")), key=len, default="")
    own = home.replace("/", ".")
    for imported in imports(path):
        top = imported.split(".")[0]
        if top in OURS and home:
            allowed = {own, *ALLOWED[home]}
            assert any(imported == a or imported.startswith(a + ".") for a in allowed), f"{name} imports {imported}"
        if top in HOMES:
            assert any(name == h or name.startswith(h + "/") for h in HOMES[top]), (
                f"{name} is no home of {top}: {HOMES[top]}"
            )
