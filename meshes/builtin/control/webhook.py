"""What the API server asks at a pod's admission (admission.k8s.io/v1): answers with a patch. Decides nothing about pods itself."""

import base64
import json
from typing import Any

from meshes.builtin.control.http import RefusedError, Request, Writer, answer
from meshes.builtin.injection.pods import Injection, NotInjectedError, patch, warnings

PATH = "/inject"
MAX_REVIEW_BYTES = 4 * 1024 * 1024
"""The API server takes objects of 3 MiB at most."""

Json = dict[str, Any]


class Webhook:
    """Handler of the port that the API server asks."""

    def __init__(self, injection: Injection) -> None:
        self._injection = injection

    async def handle(self, request: Request, writer: Writer) -> None:
        """Route by method and path."""
        if (request.method, request.path) != ("POST", PATH):
            raise RefusedError(404, f"have POST {PATH}")
        try:
            review = json.loads(request.body)
            document = reviewed(review["request"], self._injection)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefusedError(400, f"that is no AdmissionReview of a pod: {error!r}") from error
        answer(writer, 200, document)


def reviewed(asked: Json, injection: Injection) -> Json:
    """The AdmissionReview that answers a request. A pod that can't be injected as it asks is refused with the reason."""
    response: Json = {"uid": asked["uid"], "allowed": True}
    pod = asked["object"]
    try:
        operations = patch(pod, injection)
        if operations:
            text = base64.b64encode(json.dumps(operations).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": text, "warnings": warnings(pod)}
    except NotInjectedError as error:
        response |= {"allowed": False, "status": {"code": 400, "message": str(error)}}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
