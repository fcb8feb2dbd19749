"""The way from the front door to an agent, on a real cluster, while parts of it fail."""

import asyncio

import aiohttp
import pytest

from tests.support.chat import Transcript, transcribe
from tests.support.chatting import (
    AGENT,
    QUESTION,
    Refusal,
    ask,
    ask_or_refusal,
    longest,
    open_streams,
    reachable,
    streaming,
    traffic,
)
from tests.support.cluster import Gateway, Installation
from tests.support.waiting import until, until_async, until_seen

pytestmark = pytest.mark.cluster

SYSTEM = "slipway-system"
STREAMS = 20
LEFT = "Last-Event-ID"


@pytest.fixture
async def asked(asking: aiohttp.ClientSession, installation: Installation) -> tuple[str, str]:
    """A question, and the text that every stream must end with; both of the agent's pods are there to be disturbed."""
    await asyncio.to_thread(installation.renew, "demo", count=2, agent="handbook")
    return await longest(asking)


async def test_a_killed_pod_costs_no_client_its_answer(
    asking: aiohttp.ClientSession, installation: Installation, asked: tuple[str, str]
) -> None:
    question, answer = asked
    victim = installation.container("demo", installation.ready_pods("demo", agent="handbook")[0])
    streams = await open_streams(asking, 8, question)
    await asyncio.to_thread(installation.kill, victim)
    transcripts = [await stream.whole() for stream in streams]
    for transcript in transcripts:
        transcript.assert_whole(answer)
    assert any(transcript.restarts for transcript in transcripts), "no stream was in the pod that was killed"


async def test_restarting_an_agents_pods_costs_nothing(
    asking: aiohttp.ClientSession, installation: Installation, asked: tuple[str, str]
) -> None:
    question, answer = asked
    deployment = _deployment(installation)
    before = set(installation.ready_pods("demo", agent="handbook"))
    async with traffic(asking, 4) as made, streaming(asking, STREAMS, question) as streamed:
        await asyncio.to_thread(installation.kube.run, "rollout", "restart", deployment, "--namespace=demo")
        await until_seen(lambda: not before & installation.there("demo"), "the old pods are gone", deadline=120)
    _all_whole(streamed, answer)
    refused = [each for each in made.answers if isinstance(each, Refusal)]
    assert not refused, refused[:3]
    assert len(made.answers) > 4


async def test_restarting_the_gateway_costs_nothing(
    asking: aiohttp.ClientSession, installation: Installation, asked: tuple[str, str]
) -> None:
    question, answer = asked
    before = set(installation.ready_pods(SYSTEM, component="gateway"))
    async with traffic(asking, 4) as made, streaming(asking, STREAMS, question) as streamed:
        restart = ("rollout", "restart", "deployment/slipway-gateway", f"--namespace={SYSTEM}")
        await asyncio.to_thread(installation.kube.run, *restart)
        await until_seen(lambda: not before & installation.there(SYSTEM), "the old pods are gone", deadline=120)
    _all_whole(streamed, answer)
    assert not [each for each in made.answers if isinstance(each, Refusal)]


def _all_whole(streamed: list[Transcript], answer: str) -> None:
    """That every stream was whole, and that there were streams throughout: at each client more than one."""
    assert len(streamed) > STREAMS
    for transcript in streamed:
        transcript.assert_whole(answer)


async def test_after_a_killed_gateway_pod_a_client_goes_on_where_it_was(
    asking: aiohttp.ClientSession, installation: Installation, asked: tuple[str, str]
) -> None:
    question, answer = asked
    pods = await asyncio.to_thread(installation.renew, SYSTEM, count=2, component="gateway")
    await until_async(lambda: reachable(asking), "the gateway answers")
    containers = [installation.container(SYSTEM, pod) for pod in pods]
    streams = await open_streams(asking, 6, question)
    await asyncio.to_thread(installation.kill, *containers)
    ended = await asyncio.gather(*(stream.whole() for stream in streams), return_exceptions=True)
    assert {type(each) for each in ended if not isinstance(each, Transcript)} <= {
        aiohttp.ClientPayloadError,
        aiohttp.ServerDisconnectedError,
        aiohttp.ClientOSError,
    }
    assert not all(isinstance(each, Transcript) for each in ended), "no stream was open when the gateway was killed"
    await until(lambda: all(installation.restarts(SYSTEM, component="gateway").values()), "they start again")
    await until_async(lambda: reachable(asking), "the gateway answers again", deadline=60)
    for stream, end in zip(streams, ended, strict=True):
        if isinstance(end, Transcript):  # it was whole before the gateway was killed
            end.assert_whole(answer)
            continue
        last = stream.transcript.ids[-1]
        rest = await _go_on(asking, last.run, str(last))
        Transcript([*stream.transcript.events, *rest.events]).assert_whole(answer)
    # A Service leads to a pod that was killed for a moment longer: nothing of that is left for the next test.
    await asyncio.to_thread(installation.renew, SYSTEM, count=2, component="gateway")
    await until_async(lambda: reachable(asking), "the gateway answers")


async def test_a_thousand_questions_at_once_are_answered_or_refused(asking: aiohttp.ClientSession) -> None:
    answer = (await ask(asking))["answer"]
    outcomes = await asyncio.gather(*(ask_or_refusal(asking) for _ in range(1000)))
    answered = [each for each in outcomes if not isinstance(each, Refusal)]
    refused = [each for each in outcomes if isinstance(each, Refusal)]
    assert all(each["answer"] == answer for each in answered)
    assert len(answered) >= 20, "not even what fits at once was answered"
    assert {each.status for each in refused} <= {429, 503}
    assert all(each.retry_after and int(each.retry_after) > 0 for each in refused)
    assert (await ask(asking))["answer"] == answer


async def test_an_unknown_agent_and_a_missing_key_are_refused(
    asking: aiohttp.ClientSession, cluster_gateway: Gateway
) -> None:
    async with asking.post("/agents/demo/nobody/chat", json={"question": QUESTION}) as response:
        assert (response.status, (await response.json())["reason"]) == (404, "AgentNotFound")
    async with (
        aiohttp.ClientSession(cluster_gateway.url) as stranger,
        stranger.post(f"/agents/{AGENT}/chat", json={"question": QUESTION}) as response,
    ):
        assert (response.status, (await response.json())["reason"]) == (401, "Unauthenticated")


def _deployment(installation: Installation) -> str:
    status = installation.kube.get("agents.slipway.dev", "handbook", "--namespace=demo")["status"]
    return f"deployment/{status['revisions'][0]['name']}"


async def _go_on(asking: aiohttp.ClientSession, run: str, last: str) -> Transcript:
    headers = {"Accept": "text/event-stream", LEFT: last}
    async with asking.get(f"/agents/{AGENT}/runs/{run}", headers=headers) as response:
        return await transcribe(response)
