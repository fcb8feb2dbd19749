"""What an intruder in the cluster would try, and what the cluster's own rules say about our pods."""

import base64
import json
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster.errors import DevclusterError
from slipway_runtime.identity import Caller, IdentitySigner
from tests.support.cluster import Installation, is_controlled
from tests.support.manifests import restricted_problems

pytestmark = pytest.mark.cluster

SYSTEM, DEMO = "slipway-system", "demo"
OPERATOR = f"system:serviceaccount:{SYSTEM}:slipway-operator"
GATEWAY = f"system:serviceaccount:{SYSTEM}:slipway-gateway"
INTRUDER = "intruder"
ASK = textwrap.dedent("""
    import json, sys, urllib.error, urllib.request
    headers = {"Content-Type": "application/json", **json.loads(sys.argv[2])}
    body = json.dumps({"question": "What is a revision?"}).encode()
    try:
        print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers), timeout=30).status)
    except urllib.error.HTTPError as error:
        print(error.code, json.load(error)["reason"])
""")


@pytest.fixture(scope="module")
def intruder(installation: Installation, handbook: str) -> Iterator[str]:
    """A pod like any user of the namespace may start, with Python inside."""
    image = f"slipway.local/runtime:{installation.tags['runtime']}"
    pod = _pod(INTRUDER, image)
    try:
        installation.kube.apply([pod])
        installation.kube.run(
            "wait", f"--namespace={DEMO}", "--for=condition=Ready", f"pod/{INTRUDER}", "--timeout=60s"
        )
        yield INTRUDER
    finally:
        gone = ("--ignore-not-found", "--grace-period=0", "--force")
        installation.kube.run("delete", "pod", INTRUDER, f"--namespace={DEMO}", *gone)


def _pod(name: str, image: str, **security: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "command": ["python3", "-c", "import time; time.sleep(3600)"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            **security,
        },
    }
    spec = {"automountServiceAccountToken": False, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": DEMO}, "spec": spec}


def _ask_a_host(installation: Installation, headers: dict[str, str]) -> str:
    """What a host says to a request that comes from the intruder's pod, not from the gateway."""
    status = installation.kube.get("agents.slipway.dev", "handbook", f"--namespace={DEMO}")["status"]
    url = f"http://{status['revisions'][0]['name']}:8080/agents/demo/handbook/runs"
    command = ["exec", INTRUDER, f"--namespace={DEMO}", "--", "python3", "-c", ASK, url, json.dumps(headers)]
    return installation.kube.run(*command).strip()


def _forged(**changes: str) -> str:
    """A token with everything right but the key."""
    return IdentitySigner.generate().sign(Caller.by_key(changes.get("subject", "demo")), "demo/handbook")


def _unsigned() -> str:
    """A token that says it needs no signature (RFC 8725, 2.1)."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": "slipway-gateway", "aud": "demo/handbook", "sub": "demo", "iat": 0, "exp": 2**33}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no token"),
        pytest.param({"X-Slipway-Identity": _forged()}, id="another key"),
        pytest.param({"X-Slipway-Identity": _unsigned()}, id="no signature"),
        pytest.param({"Authorization": "Bearer x", "X-API-Key": "x"}, id="the gateway's kind of key"),
    ],
)
def test_hosts_refuse_what_does_not_come_from_the_gateway(
    installation: Installation, intruder: str, headers: dict[str, str]
) -> None:
    assert _ask_a_host(installation, headers) == "401 Unauthenticated"


def test_pods_with_agents_hold_no_token(installation: Installation, handbook: str) -> None:
    pods = [pod for pod in installation.kube.items("pods", f"--namespace={DEMO}") if _is_ours(pod)]
    assert {pod["metadata"]["labels"]["slipway.dev/component"] for pod in pods} >= {"agent", "index", "ingest"}
    for pod in pods:
        mounts = [m["mountPath"] for c in pod["spec"]["containers"] for m in c.get("volumeMounts", [])]
        assert not any("serviceaccount" in path for path in mounts), pod["metadata"]["name"]
    running = installation.ready_pods(DEMO, agent="handbook")[0]
    with pytest.raises(DevclusterError, match="No such file"):
        installation.kube.run("exec", running, f"--namespace={DEMO}", "--", "ls", "/var/run/secrets/kubernetes.io")


def test_namespaces_enforce_the_restricted_standard(installation: Installation, handbook: str) -> None:
    image = f"slipway.local/runtime:{installation.tags['runtime']}"
    with pytest.raises(DevclusterError, match='violates PodSecurity "restricted'):
        installation.kube.apply([_pod("privileged", image, allowPrivilegeEscalation=True)])
    for namespace in (SYSTEM, DEMO):
        labels = installation.kube.get("namespace", namespace)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        for pod in installation.kube.items("pods", f"--namespace={namespace}"):
            if _is_ours(pod):
                assert not restricted_problems(pod["spec"]), pod["metadata"]["name"]


@pytest.mark.parametrize("verb", ["get", "list", "watch", "update", "patch", "delete"])
def test_neither_account_may_touch_existing_secrets(installation: Installation, verb: str) -> None:
    for account in (OPERATOR, GATEWAY):
        assert not installation.kube.works("auth", "can-i", verb, "secrets", "--all-namespaces", f"--as={account}")


def test_the_operator_may_create_secrets(installation: Installation) -> None:
    assert installation.kube.works("auth", "can-i", "create", "secrets", f"--namespace={DEMO}", f"--as={OPERATOR}")


def test_every_pod_of_an_agent_is_under_a_network_policy(installation: Installation, handbook: str) -> None:
    policies = [item["spec"] for item in installation.kube.items("networkpolicies", f"--namespace={DEMO}")]
    for pod in installation.kube.items("pods", f"--namespace={DEMO}"):
        if _is_ours(pod):
            labels = pod["metadata"]["labels"].items()
            chosen = [p for p in policies if p["podSelector"].get("matchLabels", {}).items() <= labels]
            assert chosen, pod["metadata"]["name"]
            assert {kind for policy in chosen for kind in policy["policyTypes"]} == {"Ingress", "Egress"}


def _is_ours(pod: dict[str, Any]) -> bool:
    return is_controlled(pod) and "slipway.dev/component" in pod["metadata"].get("labels", {})
