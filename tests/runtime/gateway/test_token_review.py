"""Callers with tokens of ServiceAccounts. The stand-in for the API server checks nothing; it says what it is told to.

What a real API server answers is tested in `tests/cluster/test_token_review.py`.
"""

import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from slipway_runtime.gateway.callers import Headers, Unproven
from slipway_runtime.gateway.kubernetes_api import KubernetesApi
from slipway_runtime.gateway.token_review import KNOWN_SECONDS, PATH, REFUSED_SECONDS, TokenReviews, reviewed
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.oidc import elliptic

NAME = "system:serviceaccount:demo:caller"
GROUPS = ["system:serviceaccounts", "system:serviceaccounts:demo", "system:authenticated"]
KNOWN: dict[str, Any] = {
    "authenticated": True,
    "user": {"username": NAME, "uid": "1", "groups": GROUPS},
    "audiences": ["slipway"],
}
CALLER = Caller("kubernetes", NAME, tuple(GROUPS))
KEY = elliptic("cluster")


def token(audience: object = "slipway", **claims: Any) -> str:
    return KEY.sign({"aud": audience, "sub": NAME, "exp": int(time.time()) + 600, **claims})


def headers(credential: str) -> Headers:
    return [(b"authorization", f"Bearer {credential}".encode())]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def api(cluster: FakeKubernetes) -> AsyncIterator[KubernetesApi]:
    from kubernetes.aio.client import ApiClient, Configuration

    api = KubernetesApi(ApiClient(Configuration(host=cluster.url)))
    yield api
    await api.close()


async def test_the_api_server_says_who_it_is(cluster: FakeKubernetes, api: KubernetesApi) -> None:
    cluster.reviews = KNOWN
    given = token(["slipway", "x"])
    assert await TokenReviews(api, "slipway").caller(headers(given)) == CALLER
    assert CALLER.owner == f"kubernetes|{NAME}"
    assert cluster.requests == [f"create {PATH}"]
    assert cluster.created[0]["spec"] == {"token": given, "audiences": ["slipway"]}


PROVIDER = "https://id.example.org"


@pytest.mark.parametrize(
    "credential",
    ["", "slipway-key", "a.b.c", token("https://kubernetes.default.svc"), token(None), token(iss=PROVIDER)],
)
async def test_what_is_not_for_the_gateway_goes_to_nobody(
    cluster: FakeKubernetes, api: KubernetesApi, credential: str
) -> None:
    cluster.reviews = KNOWN
    found = await TokenReviews(api, "slipway", but_of=PROVIDER).caller(headers(credential))
    assert isinstance(found, Unproven)
    assert not found.presented
    assert cluster.requests == []


async def test_answers_are_kept_for_seconds(cluster: FakeKubernetes, api: KubernetesApi) -> None:
    clock = Clock()
    reviews = TokenReviews(api, "slipway", clock=clock)
    one, two = headers(token(n=1)), headers(token(n=2))
    cluster.reviews = KNOWN
    assert [await reviews.caller(one) for _ in range(3)] == [CALLER] * 3
    cluster.reviews = {"authenticated": False, "error": "expired"}
    assert isinstance(await reviews.caller(two), Unproven)
    assert isinstance(await reviews.caller(two), Unproven)
    assert len(cluster.created) == 2
    clock.now += REFUSED_SECONDS
    cluster.reviews = KNOWN
    assert await reviews.caller(two) == CALLER
    cluster.reviews = {"authenticated": False}
    clock.now += KNOWN_SECONDS
    assert isinstance(await reviews.caller(one), Unproven)
    assert len(cluster.created) == 4


async def test_an_api_server_that_does_not_answer_lets_nobody_in(cluster: FakeKubernetes, api: KubernetesApi) -> None:
    reviews = TokenReviews(api, "slipway")
    cluster.refuse_with = 403
    with pytest.raises(Problem, match="IdentityUnavailable"):
        await reviews.caller(headers(token()))
    await cluster.stop()
    with pytest.raises(Problem, match="IdentityUnavailable"):
        await reviews.caller(headers(token()))
    cluster.refuse_with, cluster.reviews = None, KNOWN
    await cluster.start()
    assert await reviews.caller(headers(token())) == CALLER


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"authenticated": False}, "does not accept"),
        ({"authenticated": "yes"}, "does not accept"),
        ({"audiences": ["other"]}, "another audience"),
        ({"audiences": None}, "another audience"),
        ({"user": {}}, "nobody"),
        ({"user": {"username": "x", "groups": ["g"] * 201}}, "groups"),
    ],
)
def test_what_a_review_must_say(changed: dict[str, Any], says: str) -> None:
    assert reviewed(KNOWN, "slipway") == CALLER
    found = reviewed({**KNOWN, **changed}, "slipway")
    assert isinstance(found, str)
    assert says in found


def test_a_token_of_the_test_is_one() -> None:
    assert jwt.get_unverified_header(token())["kid"] == "cluster"
