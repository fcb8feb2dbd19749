"""What becomes of a write that the API server refuses for what is in it."""

from typing import Any

import pytest

from slipway_operator.core.cache import Cache
from slipway_operator.core.executor import Executor
from slipway_operator.core.kube import ApiError, KubeClient
from slipway_operator.core.plan import Apply, Plan
from slipway_operator.core.projections import project
from slipway_operator.core.watches import Watches
from tests.support.operator_api import Fault, fake_api
from tests.support.operator_builds import NOW, agent, resource
from tests.support.operator_objects import deployment, raw

INVALID = Fault(422, "Invalid", message='tolerations[0].operator: Unsupported value: "Equals".')
UNKNOWN_FIELD = Fault(500, "", message="failed to create typed patch object (demo/x): .tolerations[0].kee: unknown")
AGENT = "/apis/slipway.dev/v1alpha1/namespaces/demo/agents/support"
RUNNING = {"Ready": ("True", "Serving", "Revision x serves.")}
STOPPED = {"Ready": ("False", "WaitingForPods", "Pods are not ready yet.")}


def apply(kind: str, *, adopt: bool) -> Apply:
    made: Any = raw(kind, "x")
    return Apply(manifest=made, adopt=adopt)


def status(conditions: dict[str, tuple[str, str, str]]) -> dict[str, Any]:
    listed = [
        {"type": name, "status": status, "reason": reason, "message": message}
        for name, (status, reason, message) in conditions.items()
    ]
    return {"revisions": [{"name": "x", "weight": 100, "state": "Serving"}], "conditions": listed}


def executor(kube: KubeClient, cache: Cache | None = None) -> Executor:
    return Executor(kube, cache or Cache(), Watches(), rolls_at_once=1, enqueue=lambda key: None)


async def refused(
    kind: str, fault: Fault, *, before: dict[str, Any], planned: dict[str, Any], adopt: bool = False
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The status that is written when the API server refuses the object, and its conditions by type."""
    async with fake_api() as (api, kube):
        api.objects[AGENT] = raw("Agent", "support") | {"spec": agent().spec.model_dump(by_alias=True)}
        api.faults.append(fault)
        plan = Plan(status=planned, apply=(apply(kind, adopt=adopt),))
        with pytest.raises(ApiError):
            await executor(kube).execute(resource(agent(), status=before), plan, now=NOW)
        written: dict[str, Any] = api.objects[AGENT]["status"]
    return written, {each["type"]: each for each in written["conditions"]}


@pytest.mark.parametrize("fault", [INVALID, UNKNOWN_FIELD], ids=["invalid", "unknown field"])
@pytest.mark.parametrize(
    ("kind", "field"),
    [("Deployment", "spec.pod"), ("StatefulSet", "spec.pod"), ("Job", "spec.ingestion.pod")],
)
async def test_pods_that_the_api_server_refuses_are_stalled_with_its_words(kind: str, field: str, fault: Fault) -> None:
    _, conditions = await refused(kind, fault, before={}, planned=status(STOPPED))
    for condition in ("Stalled", "Ready"):
        assert conditions[condition]["reason"] == "InvalidPod"
        assert fault.message.rstrip(".") in conditions[condition]["message"]
        assert conditions[condition]["message"].endswith(f"Correct {field}.")
    assert (conditions["Ready"]["status"], conditions["Stalled"]["status"]) == ("False", "True")


async def test_what_serves_stays_ready_as_long_as_it_serves() -> None:
    written, conditions = await refused("Deployment", INVALID, before=status(STOPPED), planned=status(RUNNING))
    assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == ("True", "Serving")
    assert conditions["Stalled"]["reason"] == "InvalidPod"
    assert written["phase"] == "Degraded"
    _, conditions = await refused("Deployment", INVALID, before=status(RUNNING), planned=status(STOPPED))
    assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == ("False", "InvalidPod")


async def test_a_message_without_end_still_fits_a_condition() -> None:
    fault = Fault(422, "Invalid", message="x" * 10_000)
    _, conditions = await refused("Deployment", fault, before={}, planned=status(STOPPED))
    assert len(conditions["Stalled"]["message"]) < 4096
    assert conditions["Stalled"]["message"].endswith("Correct spec.pod.")


async def test_a_job_that_is_there_runs_as_it_was_made() -> None:
    async with fake_api() as (api, kube):
        api.objects[AGENT] = raw("Agent", "support") | {"spec": agent().spec.model_dump(by_alias=True)}
        api.faults.append(INVALID)
        plan = Plan(status=status(RUNNING), apply=(apply("Job", adopt=True),))
        await executor(kube).execute(resource(agent()), plan, now=NOW)
        assert [each["type"] for each in api.objects[AGENT]["status"]["conditions"]] == ["Ready"]


@pytest.mark.parametrize("fault", [Fault(403, "Forbidden"), Fault(500, "InternalError"), Fault(429, "TooManyRequests")])
async def test_what_may_pass_by_itself_is_only_tried_again(fault: Fault) -> None:
    async with fake_api() as (api, kube):
        api.faults.append(fault)
        plan = Plan(status=status(RUNNING), apply=(apply("Deployment", adopt=False),))
        with pytest.raises(ApiError):
            await executor(kube).execute(resource(agent()), plan, now=NOW)
        assert len(api.requests) == 1


async def test_a_roll_under_way_is_replaced_at_once_while_others_wait_for_their_turn() -> None:
    """One roll at a time: to an image that does not exist it would never end."""
    stuck = deployment("stuck", existing=2, updated=1, available=1)
    cache = Cache()
    cache.put_child(project("Deployment", stuck))
    assert cache.rolling() == 1
    applied = []
    for name in ("other", "stuck"):
        manifest: Any = raw("Deployment", name)
        async with fake_api() as (api, kube):
            gated = Apply(manifest=manifest, adopt=False, gated=True)
            await executor(kube, cache).execute(resource(agent()), Plan(status={}, apply=(gated,)), now=NOW)
            applied.append(any(path.endswith(f"/deployments/{name}") for path in api.objects))
    assert applied == [False, True]
