"""The API client before a server that misbehaves."""

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from slipway_operator.core import metrics
from slipway_operator.core.drift import FIELD_MANAGER
from slipway_operator.core.kube import EVENTS_BYTES, ApiError, KubeClient, gather_all
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import CONFIG_MAP
from tests.support.operator_api import Fault, fake_api

MANIFEST: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "demo"}}


async def test_applying_says_who_and_how() -> None:
    async with fake_api() as (api, kube):
        answer = await kube.apply(MANIFEST, force=True)
    assert answer["metadata"]["resourceVersion"] == "101"
    (request,) = api.requests
    assert request == ("PATCH", f"/api/v1/namespaces/demo/configmaps/a?fieldManager={FIELD_MANAGER}&force=true")


@pytest.mark.parametrize(
    ("fault", "retry_after"),
    [
        (Fault(409, "Conflict"), 0),
        (Fault(422, "Invalid"), 0),
        (Fault(429, "TooManyRequests", {"Retry-After": "7"}), 7),
        (Fault(500, "InternalError"), 0),
        (Fault(503, "ServiceUnavailable", {"Retry-After": "1"}), 1),
    ],
)
async def test_a_refusal_is_an_error_that_says_when_to_come_back(fault: Fault, retry_after: float) -> None:
    async with fake_api() as (api, kube):
        api.faults.append(fault)
        with pytest.raises(ApiError) as caught:
            await kube.apply(MANIFEST, force=False)
    error = caught.value
    assert (error.status, error.reason, error.retry_after) == (fault.status, fault.reason, retry_after)


async def test_a_server_that_is_away_is_an_error_too() -> None:
    async with KubeClient(ApiClient(Configuration(host="http://127.0.0.1:1"))) as kube:
        with pytest.raises(ApiError) as caught:
            await kube.get(CONFIG_MAP, "demo", "a")
    assert caught.value.status == 0


async def test_what_is_there_already_is_no_error() -> None:
    async with fake_api() as (_, kube):
        assert await kube.create(MANIFEST) is not None
        assert await kube.create(MANIFEST) is None


async def test_what_is_gone_is_no_error() -> None:
    async with fake_api() as (_, kube):
        assert await kube.get(CONFIG_MAP, "demo", "a") is None
        await kube.delete(CONFIG_MAP, "demo", "a", uid="u")


async def test_events_are_asked_for_by_the_object_that_they_are_about() -> None:
    async with fake_api() as (api, kube):
        api.objects["/api/v1/namespaces/demo/events/e"] = {"reason": "FailedCreate"}
        assert await kube.events_about("demo", "uid-1") == [{"reason": "FailedCreate"}]
        (request,) = api.requests
        assert request[1] == "/api/v1/namespaces/demo/events?limit=500&fieldSelector=involvedObject.uid%3Duid-1"
        api.objects["/api/v1/namespaces/demo/events/e"] = {"message": "x" * EVENTS_BYTES}
        with pytest.raises(ApiError, match="more than"):
            await kube.events_about("demo", "uid-1")


async def test_requests_are_counted_by_verb_and_code() -> None:
    before = metrics.API_REQUESTS.labels("apply", "429")._value.get()
    async with fake_api() as (api, kube):
        api.faults.append(Fault(429, "TooManyRequests"))
        with pytest.raises(ApiError):
            await kube.apply(MANIFEST, force=True)
    assert metrics.API_REQUESTS.labels("apply", "429")._value.get() == before + 1


async def test_all_end_before_the_first_error_is_raised() -> None:
    ended = []

    async def work(name: str, *, fail: bool) -> None:
        if fail:
            raise ApiError(500, "InternalError", name)
        ended.append(name)

    with pytest.raises(ApiError, match="second"):
        await gather_all(work("first", fail=False), work("second", fail=True), work("third", fail=False))
    assert ended == ["first", "third"]
