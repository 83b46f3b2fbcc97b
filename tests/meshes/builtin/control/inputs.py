"""A small mesh for tests of the control plane: a calls b and c, b calls c; b has two replicas."""

import json
from collections.abc import Callable
from typing import Any

from meshes.builtin.control.model import Inputs, read

Edit = Callable[[dict[str, Any]], object]  # Any: JSON values


def document(*edits: Edit) -> dict[str, Any]:  # Any: JSON values
    made: dict[str, Any] = {
        "mtls": True,
        "balancing": "round-robin",
        "leaf_lifetime_s": 3600,
        "access_log": False,
        "timeouts": {"connect_s": 1.0, "request_s": 15.0, "idle_s": 300.0},
        "limits": {
            "max_header_bytes": 61440,
            "max_headers": 100,
            "max_connections": 1024,
            "max_requests": 1024,
            "buffer_bytes": 1048576,
        },
        "services": {
            "a": {"endpoints": ["127.0.0.1:15006"], "calls": ["b", "c"]},
            "b": {"endpoints": ["127.0.0.2:15006", "127.0.0.3:15006"], "calls": ["c"]},
            "c": {"endpoints": ["127.0.0.4:15006"], "calls": []},
        },
        "proxies": {
            "a-0": {"service": "a", "app": "127.0.0.1:8080", "token": "token-of-a-0"},
            "b-0": {"service": "b", "app": "127.0.0.2:8080", "token": "token-of-b-0"},
            "b-1": {"service": "b", "app": "127.0.0.3:8080", "token": "token-of-b-1"},
            "c-0": {"service": "c", "app": "127.0.0.4:8080", "token": "token-of-c-0"},
        },
    }
    for edit in edits:
        edit(made)
    return made


def inputs(*edits: Edit) -> Inputs:
    return read(json.dumps(document(*edits)))


def move_c(made: dict[str, Any]) -> None:  # Any: JSON values
    """Another endpoint for c, which a and b call."""
    made["services"]["c"]["endpoints"] = ["127.0.0.5:15006"]


def move_b(made: dict[str, Any]) -> None:  # Any: JSON values
    """One endpoint fewer for b, which only a calls."""
    made["services"]["b"]["endpoints"] = ["127.0.0.2:15006"]
