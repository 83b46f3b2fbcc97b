"""Run inside a network namespace: two Envoys in namespaces of their own, whose traffic the kernel redirects to them as in a pod.

`ip netns exec PREFIXc python -m tests.meshes.captured_story PREFIX FOLDER`; writes what was seen as JSON to `FOLDER/seen.json`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from harness.model.mesh import Traffic
from meshes.builtin.plan import mesh_document
from meshes.envoy.template import TEMPLATE
from meshes.identity.names import CONTROL_PLANE, spiffe_id
from meshes.sidecar_template import TOKEN_FOLDER, PodFacts
from tests.meshes.builtin.control import running
from tests.meshes.builtin.control.running import Control, eventually, identity
from tests.meshes.builtin.topologies import CHAIN
from tests.meshes.running_envoy import binary

Json = dict[str, Any]

HERE = "198.18.77.1"
PODS = {"a": "198.18.77.2", "b": "198.18.77.3"}
CLUSTER_IP = "198.18.78.9"
"""Of the service b; nobody has it."""
UID = 10002
APP = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class App(BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {"port": self.server.server_port, "peer": self.headers.get("x-forwarded-client-cert", "")}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(seen).encode())
    def log_message(self, *_):
        pass

ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), App).serve_forever()
"""


def mesh(**changes: Any) -> Json:
    """a calls b; endpoints are the apps' own addresses, as Kubernetes names them."""
    made: Json = json.loads(json.dumps(mesh_document(CHAIN, frozenset({"mtls"}), Traffic())))
    made["services"] = {
        "a": {"endpoints": [], "calls": ["b"]},
        "b": {"endpoints": [f"{PODS['b']}:8080"], "calls": []},
    }
    made["proxies"] = {
        f"{name}-0": {"service": name, "app": "127.0.0.1:8080", "token": f"token-{name}"} for name in PODS
    }
    return made | changes


class Story:
    """What is started, and how to call from one of the namespaces."""

    def __init__(self, prefix: str, folder: Path) -> None:
        self.prefix, self.folder = prefix, folder
        (folder / "control").mkdir()
        self.control = Control(folder / "control", mesh(), xds=True)
        settings = json.loads((folder / "control" / "control.json").read_text())
        settings["xds"]["captured"] = True
        (folder / "control" / "control.json").write_text(json.dumps(settings))
        identity("issue", "--authority", str(self.control.authority), "--out", str(folder), f"me={spiffe_id('a')}")

    @contextmanager
    def process(self, pod: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{pod}.log").open("ab") as log:
            started = subprocess.Popen(self._inside(pod, *words), stdout=log, stderr=log)
        try:
            yield started
        finally:
            started.kill()
            started.wait()

    def envoy(self, pod: str) -> tuple[str, ...]:
        """As the container says it, with the mounted folder where it lies here."""
        mounted = self.folder / pod
        mounted.mkdir()
        (mounted / "token").write_text(f"token-{pod}")
        for name, text in TEMPLATE.files.items():
            (mounted / name).write_text(text.replace(TOKEN_FOLDER, str(mounted)))
        facts = PodFacts(
            name=f"{pod}-0",
            service=pod,
            image="none",
            control=(HERE, self.control.xds_port),
            control_id=CONTROL_PLANE,
            ca_pem=self.control.ca.read_text(),
            uid=UID,
        )
        args = [word.replace(TOKEN_FOLDER, str(mounted)) for word in TEMPLATE.container(facts)["args"]]
        return ("setpriv", "--reuid", f"{UID}", "--regid", f"{UID}", "--clear-groups", binary(), *args)

    def curl(self, pod: str, *words: str) -> tuple[int, Json]:
        """Status (0: no answer) and what the app saw."""
        command = self._inside(pod, "curl", "-s", "-m", "5", "-w", "\n%{http_code}", *words)
        body, _, status = subprocess.run(command, capture_output=True, text=True, check=False).stdout.rpartition("\n")
        return int(status), json.loads(body) if body.startswith("{") else {"text": body[:100]}

    def ready(self, pod: str) -> bool:
        """Its Envoy serves, and has all that the control plane has for it."""
        status = self.control.status(f"{pod}-0")
        serves = self.curl("c", f"http://{PODS[pod]}:15090/ready")[0] == 200
        return serves and bool(status["acked"])

    def as_member(self, url: str) -> tuple[int, Json]:
        """From outside, with a certificate of the mesh."""
        mine = self.folder / "me"
        return self.curl("c", "-k", "--cert", str(mine / "cert.pem"), "--key", str(mine / "key.pem"), url)

    def _inside(self, pod: str, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.prefix + pod, *words]


def observe(story: Story) -> Json:
    """Every call once."""
    b = PODS["b"]
    return {
        "by name": story.curl("a", "-H", "host: b:8080", f"http://{CLUSTER_IP}:8080/"),
        "plaintext": story.curl("c", f"http://{b}:8080/"),
        "plaintext to another port": story.curl("c", f"http://{b}:9999/"),
        "plaintext to the listener": story.curl("c", f"http://{b}:15006/"),
        "member": story.as_member(f"https://{b}:8080/"),
        "member to another port": story.as_member(f"https://{b}:9999/"),
        "member to the listener": story.as_member(f"https://{b}:15006/"),
        "excluded port": story.curl("c", f"http://{b}:8081/"),
        "unknown host": story.curl("a", "-H", "host: elsewhere", f"http://{HERE}:8080/"),
        "unknown port": story.curl("a", f"http://{HERE}:9999/"),
        "in a circle": story.curl("a", f"http://{PODS['a']}:15001/"),
        "admin": story.curl("c", f"http://{b}:15000/ready"),
        "metrics": story.curl("c", f"http://{b}:15090/stats/prometheus"),
        "stop by the metrics port": story.curl("c", "-X", "POST", f"http://{b}:15090/quitquitquit"),
    }


def main() -> None:
    running.ADDRESS = HERE
    prefix, folder = sys.argv[1], Path(sys.argv[2])
    story = Story(prefix, folder)
    with ExitStack() as stack:
        story.control.start()
        stack.callback(story.control.stop, 9)
        for pod in (*PODS, "c"):
            for port in ("8080", "8081", "9999"):
                where = HERE if pod == "c" else "0.0.0.0"
                stack.enter_context(story.process(pod, sys.executable, "-c", APP, where, port))
        for pod in PODS:
            stack.enter_context(story.process(pod, *story.envoy(pod)))
        for pod in PODS:
            eventually(partial(story.ready, pod), (folder / f"{pod}.log").read_text())
        eventually(lambda: story.curl("c", f"http://{PODS['b']}:8081/")[0] == 200, "the apps aren't ready")
        (folder / "seen.json").write_text(json.dumps(observe(story)))


if __name__ == "__main__":
    main()
