"""A topology as a picture of its own, a file that any browser shows: services, calls, replicas. It computes nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.layers import Call
from harness.report.picture import Label, Service, graph

Document = Mapping[str, Any]  # Any: a topology as the manifest holds it

_STYLE = """
svg{--bg:#fff;--soft:#f4f6f8;--text:#1b1f24;--muted:#57606a;background:var(--bg);
font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){svg{--bg:#0f1419;--soft:#182028;--text:#e6eaee;--muted:#a3adb8}}
text{fill:var(--text)}.tick{fill:var(--muted);font-size:12px}.strong{font-weight:650}
.box{fill:var(--soft);stroke:var(--muted);stroke-width:1.2}.wire{fill:none;stroke:var(--muted);stroke-width:1.5}
"""


def services_of(topology: Document) -> Iterator[Service]:
    """Every service with a word about it."""
    for service in topology["services"]:
        notes = ["entry"] if service["name"] == topology["entry"] else []
        notes += [f"{service['replicas']} replicas"] if service["replicas"] > 1 else []
        notes += ["own program"] if service.get("command") else []
        yield Service(service["name"], ", ".join(notes))


def calls_of(topology: Document) -> Iterator[Call]:
    """Every call site with the id that results know it by (harness.model.topology.Hop)."""
    for call, _ in _sites(topology):
        yield call


def _labels(topology: Document) -> dict[str, Label]:
    return {call.id: Label((), tip) for call, tip in _sites(topology)}


def standalone(topology: Document) -> str:
    """One SVG document, with its own style for light and dark."""
    found, made = list(services_of(topology)), list(calls_of(topology))
    told = f"{len(found)} services, {len(made)} hops; load enters at {topology['entry']}"
    picture = graph(found, made, _labels(topology)).svg("topology", f"Topology {topology['name']}", told)
    return picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        "<title ", f"<style>{_STYLE}</style><title ", 1
    )


def _sites(topology: Document) -> Iterator[tuple[Call, str]]:
    protocols = {service["name"]: service["protocol"] for service in topology["services"]}
    for service in topology["services"]:
        name, index = service["name"], 0
        for number, step in enumerate(service["script"], start=1):
            for call in step["calls"]:
                callee = call["service"]
                hop = f"{name}#{index}>{callee}/{protocols[callee]}"
                yield Call(hop, name, callee), _tip(hop, number, call)
                index += 1


def _tip(hop: str, step: int, call: Document) -> str:
    parts = [f"{hop}: step {step} of its caller"]
    parts += [f"{call['probability']:.4g} of the time"] if call["probability"] < 1 else []
    parts += [f"{call['request_bytes']:,} bytes sent"] if call["request_bytes"] else []
    return ", ".join(parts)
