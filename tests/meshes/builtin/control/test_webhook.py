"""Admission reviews, as JSON in and out."""

import base64
import json
from typing import Any

from meshes.builtin.control.webhook import reviewed
from tests.meshes.builtin.injection.test_pods import INJECTION, pod


def answered(given: dict[str, Any]) -> dict[str, Any]:
    review = reviewed({"uid": "7", "namespace": "shop", "object": given}, INJECTION)
    assert (review["kind"], review["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
    assert review["response"]["uid"] == "7"
    return dict(review["response"])


def test_the_patch_travels_as_base64() -> None:
    response = answered(pod())
    assert (response["allowed"], response["patchType"]) == (True, "JSONPatch")
    assert json.loads(base64.b64decode(response["patch"]))[-1]["path"] == "/spec/volumes"


def test_a_pod_that_opted_out_is_allowed_as_it_is() -> None:
    assert answered(pod(labels={"hoptax.dev/inject": "disabled"})) == {"uid": "7", "allowed": True}


def test_a_pod_that_asks_for_what_there_is_not_is_refused_with_the_reason() -> None:
    response = answered(pod(labels={"hoptax.dev/sidecar": "nginx"}))
    assert response["allowed"] is False
    assert "have builtin, envoy" in response["status"]["message"]
