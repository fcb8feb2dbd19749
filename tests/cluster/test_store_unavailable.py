"""The store unavailable for a minute, on a real cluster: questions are refused, and nobody has to fix anything."""

import asyncio
import time

import aiohttp
import pytest

from tests.support.chatting import Refusal, ask_or_refusal
from tests.support.cluster import Installation
from tests.support.waiting import until, until_async, until_seen

pytestmark = pytest.mark.cluster

SYSTEM = "slipway-system"


async def test_without_a_store_for_a_minute_questions_are_refused_and_then_answered_again(
    asking: aiohttp.ClientSession, installation: Installation
) -> None:
    where, store = f"--namespace={SYSTEM}", "statefulset/slipway-postgres"
    before = _restarts(installation)
    await asyncio.to_thread(installation.kube.run, "scale", store, where, "--replicas=0")
    try:
        # A question that reached the store on its way out would wait for it to come back.
        await until_seen(lambda: "slipway-postgres-0" not in installation.there(SYSTEM), "the store to go", deadline=60)
        gone_until = time.monotonic() + 60
        refusals, stalled = [], set()
        while time.monotonic() < gone_until:
            refusals.append(await ask_or_refusal(asking))
            stalled.add(_condition(installation, "Stalled"))
        assert all(isinstance(each, Refusal) and each.status == 503 and each.retry_after for each in refusals)
        assert {each.reason for each in refusals if isinstance(each, Refusal)} <= {"StoreUnavailable", "NoPodReady"}
        assert _condition(installation, "Ready") == "False", "an agent that cannot answer is not ready"
        assert "True" not in stalled, "there is nothing that a person would have to fix at the agent"
    finally:
        await asyncio.to_thread(installation.kube.run, "scale", store, where, "--replicas=1")

    async def answered() -> bool:
        return not isinstance(await ask_or_refusal(asking), Refusal)

    await until_async(answered, "answers after the store is back", deadline=90)
    await until(lambda: _condition(installation, "Ready") == "True", "the agent is ready again", deadline=60)
    assert _restarts(installation) == before, "a pod was restarted although it could only wait"


def _condition(installation: Installation, kind: str) -> str | None:
    status = installation.kube.get("agents.slipway.dev", "handbook", "--namespace=demo")["status"]
    return next((c["status"] for c in status["conditions"] if c["type"] == kind), None)


def _restarts(installation: Installation) -> dict[str, int]:
    """Pod -> restarts, of everything that lives through the absence of the store."""
    of_system = [installation.restarts(SYSTEM, component=component) for component in ("gateway", "operator")]
    return installation.restarts("demo", agent="handbook") | of_system[0] | of_system[1]
