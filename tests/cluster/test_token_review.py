"""What a real API server makes of tokens of ServiceAccounts: the audience counts, and a deleted account does not."""

import base64
import json

import pytest

from devcluster.settings import Cluster
from slipway_runtime.gateway.callers import Headers, Unproven
from slipway_runtime.gateway.kubernetes_api import KubernetesApi
from slipway_runtime.gateway.token_review import KNOWN_SECONDS, TokenReviews
from slipway_runtime.identity import Caller
from tests.support.api_server import ApiServer, api_server
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def token(server: ApiServer, name: str, audience: str) -> Headers:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience]}}
    answer = await server.request("POST", f"{ACCOUNTS}/{name}/token", body)
    assert answer.accepted, answer.message
    return [(b"authorization", f"Bearer {answer.body['status']['token']}".encode())]


def altered(headers: Headers) -> Headers:
    """The same token, which says that it is another account's."""
    head, payload, signature = headers[0][1].decode().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["sub"] = "system:serviceaccount:kube-system:root"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return [(b"authorization", f"{head}.{forged}.{signature}".encode())]


async def test_tokens_of_service_accounts(api_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # The library read the environment when it was imported.
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(api_cluster.kubeconfig))
    name, clock = "caller", Clock()
    async with api_server(str(api_cluster.kubeconfig)) as server:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        await server.request("DELETE", f"{ACCOUNTS}/{name}")  # a first try that failed may have left it
        assert (await server.request("POST", ACCOUNTS, account)).accepted
        ours, others = await token(server, name, "slipway"), await token(server, name, "other")
        api = await KubernetesApi.connect()
        try:
            reviews = TokenReviews(api, "slipway", clock=clock)
            found = await reviews.caller(ours)
            assert isinstance(found, Caller)
            assert found.subject == f"system:serviceaccount:default:{name}"
            assert "system:serviceaccounts:default" in found.groups
            assert isinstance(await reviews.caller(others), Unproven)
            assert isinstance(await reviews.caller(altered(ours)), Unproven)
            assert (await server.request("DELETE", f"{ACCOUNTS}/{name}")).accepted

            async def refused() -> bool:
                clock.now += KNOWN_SECONDS
                return isinstance(await reviews.caller(ours), Unproven)

            await until_async(refused, "the API server has forgotten what it knew of the token, which it does in 10 s")
        finally:
            await api.close()
