"""Pods that a tenant labels into an agent's Service, on a cluster: gateway, operator and callers are none the worse."""

import asyncio
import textwrap
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.support.chat import STREAM, transcribe
from tests.support.chatting import QUESTION, ask, chat_path
from tests.support.cluster import Installation
from tests.support.operator_bench import wait
from tests.support.waiting import until_async, until_seen

pytestmark = pytest.mark.cluster

SYSTEM, DEMO = "slipway-system", "demo"
READY, UNREADY = "impostor", "impostor-unready"
MARK = "text-of-the-impostor"
IMPOSTOR = textwrap.dedent(f"""
    import http.server, sys

    class Impostor(http.server.BaseHTTPRequestHandler):
        def answer(self):
            print("asked", self.path, self.headers.get("accept", ""), flush=True)
            if self.path == "/elsewhere":
                print("followed", flush=True)
            if "event-stream" in self.headers.get("accept", ""):
                self.endless(200, "text/event-stream")
            elif self.path == "/readyz":
                self.endless(503, "application/json", b'{{"missing": ["{MARK}"], "x": "')
            else:
                self.send_response(307)
                self.send_header("Location", "/elsewhere")
                self.send_header("Set-Cookie", "session={MARK}")
                self.end_headers()

        def endless(self, status, kind, start=b""):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            try:
                self.wfile.write(start)
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True

        do_GET = do_POST = answer

    http.server.ThreadingHTTPServer(("", 8080), Impostor).serve_forever()
""")


@pytest.fixture
def impostors(installation: Installation, handbook: str) -> Iterator[None]:
    """One pod that the gateway asks, and one that the operator asks because it never becomes ready."""
    kube = installation.kube
    # While a revision takes over, the labels of the pods are not yet, or no longer, those that the gateway asks.
    wait(lambda: _revisions(installation) == ["Serving"], lambda: f"one revision: {_revisions(installation)}")
    ports = {READY: 8080, UNREADY: 9}
    pods = [_pod(installation, name, readinessProbe={"tcpSocket": {"port": port}}) for name, port in ports.items()]
    try:
        kube.apply(pods)
        for name, state in {
            READY: "condition=Ready",
            UNREADY: "jsonpath={.status.containerStatuses[0].started}=true",
        }.items():
            kube.run("wait", f"--namespace={DEMO}", f"--for={state}", f"pod/{name}", "--timeout=90s")
        yield
    finally:
        gone = ("--ignore-not-found", "--grace-period=0", "--force")
        kube.run("delete", "pod", READY, UNREADY, f"--namespace={DEMO}", *gone)


def _revisions(installation: Installation) -> list[str]:
    """States of the agent's revisions."""
    status = installation.kube.get("agents.slipway.dev", "handbook", f"--namespace={DEMO}")["status"]
    return [str(each["state"]) for each in status["revisions"]]


def _pod(installation: Installation, name: str, **more: Any) -> dict[str, Any]:
    """A pod with the labels of the agent's own: all but the one that its ReplicaSet finds it by."""
    (pod, *_) = installation.pods(DEMO, agent="handbook")
    labels = {key: value for key, value in pod["metadata"]["labels"].items() if key != "pod-template-hash"}
    container = {
        "name": "main",
        "image": f"slipway.local/runtime:{installation.tags['runtime']}",
        "command": ["python3", "-c", IMPOSTOR],
        "ports": [{"name": "http", "containerPort": 8080}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **more,
    }
    spec = {"automountServiceAccountToken": False, "containers": [container]}
    metadata = {"name": name, "namespace": DEMO, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _log(installation: Installation, name: str) -> str:
    return installation.kube.run("logs", name, f"--namespace={DEMO}")


async def test_answers_of_an_impostor_reach_nobody(
    installation: Installation, impostors: None, asking: aiohttp.ClientSession
) -> None:
    before = installation.restarts(SYSTEM, component="gateway")
    answer = (await ask(asking))["answer"]

    async def asked() -> None:
        async with asking.post(chat_path(), json={"question": QUESTION}) as response:
            assert (response.status, (await response.json())["answer"]) == (200, answer)
            assert "Set-Cookie" not in response.headers
        async with asking.post(chat_path(), json={"question": QUESTION}, headers=STREAM) as response:
            (await transcribe(response)).assert_whole(answer)

    async def impostor_asked() -> bool:
        await asyncio.gather(*(asked() for _ in range(4)))
        log = await asyncio.to_thread(_log, installation, READY)
        return f"asked /agents/{DEMO}/handbook/runs text/event-stream" in log

    # A gateway learns of a pod a moment after it is ready.
    await until_async(impostor_asked, "the gateway asks the impostor for a stream", deadline=90)
    for _ in range(4):
        await asyncio.gather(*(asked() for _ in range(4)))
    assert "followed" not in await asyncio.to_thread(_log, installation, READY)
    assert installation.restarts(SYSTEM, component="gateway") == before


async def test_the_operator_takes_nothing_of_an_impostor_into_a_status(
    installation: Installation, impostors: None
) -> None:
    before = installation.restarts(SYSTEM, component="operator")
    kube = installation.kube
    (own, *_) = installation.ready_pods(DEMO, agent="handbook")
    await asyncio.to_thread(kube.run, "delete", "pod", own, f"--namespace={DEMO}", "--wait=false")
    await until_seen(
        lambda: "asked /readyz" in _log(installation, UNREADY), "the operator asks the impostor", deadline=90
    )

    def settled() -> bool:
        status = kube.get("agents.slipway.dev", "handbook", f"--namespace={DEMO}")["status"]
        assert MARK not in str(status)
        (ready,) = [each for each in status["conditions"] if each["type"] == "Ready"]
        return ready["status"] == "True" and own not in installation.there(DEMO)

    await until_seen(settled, "the agent serves again", deadline=120)
    assert installation.restarts(SYSTEM, component="operator") == before
