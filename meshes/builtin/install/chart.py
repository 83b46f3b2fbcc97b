"""The Helm chart of the same objects: plain templates of what `manifests` gives, with the few values that a user sets. Pure.

A template is the object as JSON, which is YAML, with a value in the place of each marker.
"""

import json
from collections.abc import Mapping

from meshes.builtin.install.manifests import Installation, objects

MARKERS: Mapping[str, str] = {"image": "IMAGE-IS-SET-BY-THE-CHART", "revision": "revision-is-set-by-the-chart"}
VALUES: Mapping[str, object] = {
    "image": "hoptax/all:latest",
    "revision": "default",
    "replicas": 1,
    "strictInjection": True,
}
_REPLICAS = 1987654321
_POLICY = '"failurePolicy": "Fail"'


def files(version: str) -> dict[str, str]:
    """By path inside the chart's folder."""
    made = Installation(MARKERS["image"], _REPLICAS, revision=MARKERS["revision"])
    chart = {"apiVersion": "v2", "name": "hoptax", "description": "The built-in mesh of hoptax", "version": version}
    templates = {f"templates/{n:02}-{each['kind'].lower()}.yaml": each for n, each in enumerate(objects(made))}
    return {
        "Chart.yaml": json.dumps(chart, indent=1) + "\n",
        "values.yaml": "".join(f"{name}: {json.dumps(value)}\n" for name, value in VALUES.items()),
        **{path: _template(each) for path, each in templates.items()},
    }


def _template(document: Mapping[str, object]) -> str:
    text = json.dumps(document, indent=1)
    for value, marker in MARKERS.items():
        text = text.replace(marker, f"{{{{ .Values.{value} }}}}")
    text = text.replace(str(_REPLICAS), "{{ .Values.replicas }}")
    text = text.replace(_POLICY, '"failurePolicy": "{{ if .Values.strictInjection }}Fail{{ else }}Ignore{{ end }}"')
    if document["kind"] == "PodDisruptionBudget":
        return "{{- if gt (int .Values.replicas) 1 }}\n" + text + "\n{{- end }}\n"
    return text + "\n"
