"""Puts the control plane of a cluster together: what it follows, its ports, its CA. The only place that opens sockets there."""

import asyncio
import base64
import gc
import json
import shutil
import signal
import ssl
import sys
import time
from asyncio import sslproto
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

from meshes.builtin.control import kubernetes_objects as objects
from meshes.builtin.control.api import Api, Prove
from meshes.builtin.control.http import MAX_HEAD_BYTES, PATIENCE_S, Server
from meshes.builtin.control.kubernetes_authority import authority
from meshes.builtin.control.kubernetes_client import Client
from meshes.builtin.control.kubernetes_inputs import NOTHING, Found, meshes
from meshes.builtin.control.kubernetes_settings import ClusterSettings
from meshes.builtin.control.kubernetes_tokens import prove
from meshes.builtin.control.kubernetes_watch import Followed
from meshes.builtin.control.model import Inputs, read
from meshes.builtin.control.renewal import keep_certificate, server_context
from meshes.builtin.control.server import TLS_BUFFER_BYTES, Admin
from meshes.builtin.control.signing import Signer, SigningError, run_helper
from meshes.builtin.control.state import State
from meshes.builtin.control.webhook import MAX_REVIEW_BYTES, Webhook
from meshes.builtin.injection.labels import INJECTED, POLICY
from meshes.builtin.injection.pods import Injection
from meshes.builtin.injection.sidecar import TEMPLATE
from meshes.builtin.snapshot import Endpoint
from meshes.envoy.template import TEMPLATE as ENVOY
from meshes.identity.names import CONTROL_PLANE
from meshes.sidecar_template import PodFacts

SETTLE_S = 0.05
"""A rollout changes many objects at once: what comes within this time is compiled once."""
TEMPLATES = {"builtin": TEMPLATE, "envoy": ENVOY}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod's own address isn't known to its manifest
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"

Json = dict[str, Any]


class Discovery:
    """Follows the cluster and keeps `state` true."""

    def __init__(self, client: Client, state: State) -> None:
        self._state = state
        self._dirty = asyncio.Event()
        self._meshes: Mapping[str, Inputs] = {}
        self._base = state.inputs
        core = "/api/v1"
        touch = self._dirty.set
        self.services = Followed(client, f"{core}/services", objects.service, touch)
        self.slices = Followed(client, "/apis/discovery.k8s.io/v1/endpointslices", objects.endpoint_slice, touch)
        self.pods = Followed(client, f"{core}/pods", objects.pod, touch, f"labelSelector={INJECTED}%3Dtrue")
        self.policies = Followed(
            client, f"{core}/configmaps", objects.policy, touch, f"fieldSelector=metadata.name%3D{POLICY}"
        )

    async def known(self) -> None:
        """Returns when everything was listed once; before, nothing may be pushed."""
        for each in (self.services, self.slices, self.pods, self.policies):
            await each.known.wait()

    async def follow(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for each in (self.services, self.slices, self.pods, self.policies):
                group.create_task(each.follow())
            await self.known()
            while True:
                await self._dirty.wait()
                await asyncio.sleep(SETTLE_S)
                self._dirty.clear()
                self._compile()

    def _compile(self) -> None:
        found = Found(self.services.objects, self.slices.objects, self.pods.objects, self.policies.objects)
        self._meshes, refused = meshes(found, self._meshes)
        self._state.update_meshes(self._base, self._meshes)
        if refused:
            self._state.input_error = "; ".join(refused)
            print(f"control: refused, the last good settings stay: {self._state.input_error}", file=sys.stderr)


async def serve(settings: ClusterSettings, client: Client) -> None:
    """Until SIGTERM or SIGINT. ApiError, SigningError: it can't begin; OSError: a port is taken."""
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    await _keys(settings, client)
    injection = await _injection(settings, client)
    await _publish_roots(settings, client)
    sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
    state = State(read(json.dumps(NOTHING)))
    discovery = Discovery(client, state)
    try:
        async with AsyncExitStack() as opened, asyncio.TaskGroup() as group:
            tasks = [group.create_task(discovery.follow())]
            await discovery.known()
            keeping = await _open(opened, settings, state, prove(client, state.identity), injection)
            gc.freeze()
            tasks.append(group.create_task(keeping))
            await over.wait()
            for task in tasks:
                task.cancel()
    except* OSError as failed:
        raise failed.exceptions[0] from failed


async def _open(
    opened: AsyncExitStack, settings: ClusterSettings, state: State, proof: Prove, injection: Injection
) -> Coroutine[Any, Any, None]:
    """All ports, the one that tells whether we are ready last; what keeps our certificate young is returned."""
    signer, context = Signer(settings.folder / "authority"), server_context(settings.folder / "control")
    wall_s = time.time  # noqa: TID251 - certificates are dated by it
    api, webhook = Api(state, signer, wall_s, proof), Webhook(injection)
    reviews = Server(webhook.handle, max_body_bytes=MAX_REVIEW_BYTES)
    await _listen(opened, settings.port, Server(api.handle), context)
    await _listen(opened, settings.webhook_port, reviews, _webhook_context(settings))
    if settings.xds_port:
        await _open_xds(opened, settings, state, signer, proof)
    await _listen(opened, settings.admin_port, Server(Admin(state).handle), None)
    own, lifetime_s = settings.folder / "renewed", state.inputs.leaf_lifetime_s
    return keep_certificate(context, signer, own, lambda: lifetime_s, wall_s)


async def _keys(settings: ClusterSettings, client: Client) -> None:
    """The CA, our first certificate, and the webhook's. A killed predecessor in this pod has left its own: its volume outlives it."""
    folder = settings.folder
    shutil.rmtree(folder, ignore_errors=True)
    await authority(client, settings.namespace, folder / "authority", run_helper)
    given = ("--authority", str(folder / "authority"))
    host = f"{settings.service}.{settings.namespace}.svc"
    for words in (
        ("issue", *given, "--out", str(folder), f"control={CONTROL_PLANE}"),
        ("serve", *given, "--out", str(folder / "webhook"), host, f"{host}.cluster.local"),
    ):
        helped = await run_helper(words, b"")
        if helped.code:
            raise SigningError(f"the helper that makes keys ended with {helped.code}: {helped.err}")


async def _injection(settings: ClusterSettings, client: Client) -> Injection:
    """Sidecars find us by the address of our Service, so that they need no DNS of their own."""
    found = await client.ask("GET", f"/api/v1/namespaces/{settings.namespace}/services/{settings.service}")
    address = found["spec"]["clusterIP"]
    fields = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_IPS": "status.podIPs"}
    facts = PodFacts(
        name="",
        service="",
        image="",
        control=(address, settings.port),
        control_id=CONTROL_PLANE,
        ca_pem=(settings.folder / "authority" / "ca.pem").read_text(),
        uid=settings.uid,
        resources={"requests": {"cpu": "30m", "memory": "40Mi"}},
        environment=tuple(
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()
        ),
    )
    templates = {name: template for name, template in TEMPLATES.items() if name in settings.images}
    return Injection(templates, facts, settings.images, {"builtin": settings.port, "envoy": settings.xds_port})


def _webhook_context(settings: ClusterSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.folder / "webhook" / "cert.pem", settings.folder / "webhook" / "key.pem")
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _publish_roots(settings: ClusterSettings, client: Client) -> None:
    """The API server has to know by which roots it verifies our webhook; every replica says the same."""
    roots = base64.b64encode((settings.folder / "authority" / "ca.pem").read_bytes()).decode()
    path = f"{WEBHOOKS}/{settings.webhook}"
    found = await client.ask("GET", path)
    operations = [
        {"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": roots}
        for number, _ in enumerate(found.get("webhooks") or ())
    ]
    if operations:
        await client.ask("PATCH", path, operations, "application/json-patch+json")


async def _listen(opened: AsyncExitStack, port: int, server: Server, context: ssl.SSLContext | None) -> None:
    handshake_s = PATIENCE_S if context else None
    made = await asyncio.start_server(
        server, EVERYWHERE, port, limit=MAX_HEAD_BYTES, ssl=context, ssl_handshake_timeout=handshake_s
    )
    opened.callback(made.close)


async def _open_xds(
    opened: AsyncExitStack, settings: ClusterSettings, state: State, signer: Signer, proof: Prove
) -> None:
    """Whatever it needs is loaded only where it is asked for: gRPC is half of this program's memory."""
    from meshes.builtin.control import xds_port  # noqa: PLC0415
    from meshes.builtin.control.xds_certificates import Leaves  # noqa: PLC0415

    wall_s = time.time  # noqa: TID251 - certificates are dated by it
    leaves = Leaves(signer, settings.folder / "keys", state.lifetime_s, wall_s)
    port = xds_port.Port(Endpoint(EVERYWHERE, settings.xds_port), settings.folder / "control", captured=True)
    await opened.enter_async_context(xds_port.listening(port, state, leaves, proof))
