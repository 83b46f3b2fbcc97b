"""A result of processes and one of Kubernetes on one page: what capture costs. It computes nothing."""

from collections.abc import Mapping
from typing import Any

from harness.report.change_page import changes_part
from harness.report.elements import Html, joined, listed, section

TITLE = "What capture costs: processes and Kubernetes"
READING = (
    "On processes an application is told its sidecar's address. In Kubernetes it knows nothing: its packets are redirected by iptables, its callees are "
    "found by the cluster's DNS, and pods have a virtual network.",
    "What an arm adds there, less what it adds on processes, is the cost of that for a mesh: the lines that begin with “added”.",
    "The reference has no sidecar: its own difference is what pods and their network cost without any mesh.",
    "In a cluster on one machine the load generator shares the CPUs with the system under test and with Kubernetes itself; on processes it may have CPUs "
    "of its own. What follows from that is in these differences too.",
)


def sides_part(name: str, document: Mapping[str, Any]) -> Html:  # Any: a comparison with sides
    """How to read it, then every arm on both."""
    return joined(
        [
            section(name, TITLE, listed(READING)),
            changes_part(f"{name}-figures", "Both results", document),
        ]
    )
