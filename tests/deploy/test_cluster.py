"""Single pods are reached through kubectl port-forward, here a program that says where a server listens."""

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy.cluster import STABLE, KubernetesUser, ReleaseCluster
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube

METRICS = """# HELP slipway_gateway_requests_total Requests to agents, by answer.
# TYPE slipway_gateway_requests_total counter
slipway_gateway_requests_total{agent="a",code="200",namespace="demo"} 7.0
slipway_gateway_requests_total{agent="a",code="503",namespace="demo"} 2.0
"""
FORWARDS = "import signal; print('Forwarding from 127.0.0.1:{port} -> 8081', flush=True); signal.pause()"
FAILS = "import sys; sys.exit('error: pods \"old-1\" not found')"


class Gateway(BaseHTTPRequestHandler):
    """Metrics, and an answer to whoever shows the key."""

    def do_GET(self) -> None:
        self.answer(200, METRICS)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.headers["Authorization"] == "Bearer key" and self.path == "/agents/demo/handbook/chat"
        self.answer(200 if known else 401, json.dumps({"answer": "yes"}))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name that it has there
        """Nothing: what is printed belongs to the test."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Pods(Kube):
    """A kubectl whose list of pods is given."""

    found: tuple[dict[str, Any], ...] = ()

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        assert f"--selector={STABLE}" in arguments
        return list(self.found)


def pod(name: str, *, ready: bool = True, restarts: int = 0, **metadata: str) -> dict[str, Any]:
    """A running pod."""
    status = {
        "phase": "Running",
        "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"restartCount": restarts}],
    }
    return {"metadata": {"name": name, **metadata}, "status": status}


def scheduled(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"phase": "Pending"}}


def cluster(folder: Path, program: str, *pods: dict[str, Any]) -> ReleaseCluster:
    kubectl = folder / "kubectl.py"
    kubectl.write_text(program)
    return ReleaseCluster(Pods((sys.executable, str(kubectl)), ("helm",), pods or (pod("old-1"),)))


def test_what_gateways_counted_is_read_from_each_ready_pod(tmp_path: Path, port: int) -> None:
    pods = [
        pod("old-2"),
        pod("old-1"),
        pod("starts", ready=False),
        scheduled("waits"),
        pod("leaves", deletionTimestamp="2026-01-01T00:00:00Z"),
    ]
    counted = cluster(tmp_path, FORWARDS.format(port=port), *pods).counted(STABLE)
    assert list(counted) == ["old-1", "old-2"]
    assert (counted["old-1"].requests, counted["old-1"].errors) == (9, 2)


def test_a_question_is_asked_with_the_key_and_a_refusal_is_a_failure(tmp_path: Path, port: int) -> None:
    made = cluster(tmp_path, FORWARDS.format(port=port))
    assert made.ask("old-1", KubernetesUser("key", "demo/handbook", "What?")) > 0
    with pytest.raises(DemoError, match="old-1: the gateway answered 401"):
        made.ask("old-1", KubernetesUser("another", "demo/handbook", "What?"))


def test_a_pod_that_cannot_be_reached_is_named_with_what_kubectl_says(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"port-forward to old-1 failed:\nerror: pods \"old-1\" not found"):
        cluster(tmp_path, FAILS).counted(STABLE)


def test_where_no_gateway_runs_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="no gateway pod is ready in slipway-system"):
        cluster(tmp_path, FAILS, scheduled("waits"), pod("starts", ready=False)).gateways(STABLE)


def test_restarts_are_those_of_each_pod_ready_or_not(tmp_path: Path) -> None:
    pods = [pod("old-1", ready=False, restarts=3), scheduled("waits"), pod("leaves", deletionTimestamp="2026-01-01")]
    assert cluster(tmp_path, FAILS, *pods).restarts(STABLE) == {"old-1": 3, "waits": 0}


def test_an_object_is_replaced_whole_(tmp_path: Path) -> None:
    """`apply` would leave what another manager wrote, and a second rollout when helm takes it away."""
    keeps = "import sys; open({path!r}, 'w').write(' '.join(sys.argv[1:]) + sys.stdin.read())"
    cluster(tmp_path, keeps.format(path=str(tmp_path / "said"))).replace({"kind": "Deployment"})
    said = (tmp_path / "said").read_text()
    assert said == '--namespace=slipway-system replace --filename=-{"kind": "Deployment"}'
