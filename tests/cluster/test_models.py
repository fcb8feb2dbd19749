"""Agents with models on a real cluster. The models are stand-ins, pods of the cluster; everything else is real."""

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from slipway_crds.agents.model import Agent
from slipway_crds.contract import METRICS_PORT
from slipway_demo.paths import ROOT
from tests.support import operator_manifests as manifests
from tests.support import zoo
from tests.support.chatting import ask, open_streams, traffic
from tests.support.cluster import SMART_AGENT, Gateway, Installation
from tests.support.network_needs import closed
from tests.support.operator_bench import Bench, new_bench, wait
from tests.support.stand_in import egress, entry, paid, sources, stand_in
from tests.support.waiting import until_seen

pytestmark = pytest.mark.cluster

NAMESPACE, _, LEAD = SMART_AGENT.partition("/")
KEEPER, PATCHY, SLOW = zoo.MEMBER, "patchy", "slow"
TWO_SENTENCES = "The elephant is called Rosa [1]. She eats hay in the morning [1]."
MESSAGES: list[Any] = [{"role": "user", "content": zoo.QUESTION}]
STREAMS = 4
STATUS_SECONDS = 90.0
"""A minute, as the documentation says, and the time that a busy machine takes to look."""
TEAM = ROOT / "examples" / "team"
METRICS = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{METRICS_PORT}/metrics').read().decode())"


@pytest.fixture(scope="module")
def team(installation: Installation, handbook: str) -> Iterator[Bench]:
    """The example, as it is. It comes up while the others are tested."""
    kube = installation.kube
    kube.run("apply", "--server-side", f"--filename={TEAM}")
    yield Bench(installation, "demo", "concierge")
    kube.run("delete", f"--filename={TEAM}", "--wait=false")


@pytest.fixture(scope="module")
def animals(installation: Installation, team: Bench) -> Iterator[Bench]:
    """Stand-ins for models, and agents that call them. What is wrong with some is part of the tests."""
    with new_bench(installation, NAMESPACE) as made:
        made.apply(sources(NAMESPACE), *servers(installation), secret("keeper", "first-key"))
        made.apply(secret("refused", "wrong-key"))
        made.apply(
            manifests.documents(NAMESPACE, **{"zoo.md": zoo.DOCUMENT}),
            manifests.index(NAMESPACE),
            *(agent(name, **spec) for name, spec in SPECS.items()),
        )
        made.until_condition("vectorindexes", "handbook")
        yield made


def servers(installation: Installation) -> list[dict[str, Any]]:
    return [
        *stand_in(installation, NAMESPACE, "llm"),
        *stand_in(installation, NAMESPACE, "failing", "--fault=server_error"),
        *stand_in(installation, NAMESPACE, "strict", "--key=right-key", "--model=zoo-1"),
        *stand_in(installation, NAMESPACE, "pausing", "--key=right-key", "--pause=0.5", f"--text={TWO_SENTENCES}"),
    ]


def secret(name: str, key: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"KEY": key}}


def key_of(name: str) -> dict[str, Any]:
    return {"apiKeyRef": {"name": name, "key": "KEY"}}


def broken(model: str) -> list[dict[str, Any]]:
    """Everything that can be wrong with a model, and one at the end with which nothing is wrong."""
    return [
        entry("failing", "failing", NAMESPACE),
        entry("keyless", "strict", NAMESPACE, **key_of("absent")),
        entry("refused", "strict", NAMESPACE, **key_of("refused")),
        entry("unknown", "strict", NAMESPACE, model=model, **key_of("refused")),
        entry("own", "llm", NAMESPACE, model="zoo-last"),
    ]


SPECS: dict[str, dict[str, Any]] = {
    KEEPER: {"models": [entry("own", "llm", NAMESPACE, price={"input": "1", "output": "2"}, **key_of("keeper"))]},
    LEAD: {
        "architecture": "orchestrator",
        "knowledge": [],
        "members": [{"agentRef": {"name": KEEPER}}, {"agentRef": {"name": PATCHY}}],
        "models": [entry("own", "llm", NAMESPACE, model="zoo-lead")],
    },
    PATCHY: {"models": broken("zoo-0")},
    SLOW: {"models": [entry("own", "pausing", NAMESPACE, **key_of("late"))], "scaling": {"min": 2}},
}


def agent(name: str, **spec: Any) -> dict[str, Any]:
    made = manifests.agent(NAMESPACE, name, min_score="0.2", egress=egress(NAMESPACE), **spec)
    if not made["spec"]["knowledge"]:
        del made["spec"]["knowledge"]
    return made


async def asked(asking: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with asking.post(path, json={"question": zoo.QUESTION}) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
    assert (answer["answer"], answer["grounded"]) == (zoo.SAID, True)
    assert [source["quote"] for source in answer["sources"]] == [zoo.QUOTE]
    return answer


async def test_a_model_answers_with_citations_by_every_protocol(
    asking: aiohttp.ClientSession, animals: Bench, cluster_gateway: Gateway
) -> None:
    animals.until_condition("agents", KEEPER)
    answer = await asked(asking, f"/agents/{NAMESPACE}/{KEEPER}/chat")
    assert (answer["agent_used"], answer["model"]) == (f"{NAMESPACE}/{KEEPER}", "openai-compatible:zoo-1")
    assert [(used["requests"], used["cost"]) for used in answer["usage"]["models"]] == [(1, "0.00002")]
    async with AsyncOpenAI(base_url=f"{cluster_gateway.url}/v1", api_key=cluster_gateway.key) as client:
        model = f"{NAMESPACE}/{KEEPER}"
        assert model in [each.id async for each in client.models.list()]
        whole = await client.chat.completions.create(model=model, messages=MESSAGES)
        stream = await client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        chunks = [chunk async for chunk in stream]
    assert whole.choices[0].message.content == zoo.SAID
    assert (whole.model_extra or {})["slipway"]["sources"][0]["quote"] == zoo.QUOTE
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == zoo.SAID
    assert {each["key"] for each in paid(animals.installation, NAMESPACE, "llm")} >= {"first-key"}


async def test_a_model_chooses_who_answers_and_the_next_model_answers_for_one_that_fails(
    asking: aiohttp.ClientSession, animals: Bench
) -> None:
    for name in (LEAD, PATCHY):
        animals.until_condition("agents", name)
    answer = await asked(asking, "/smart/chat")
    decision = answer["orchestration"]
    assert (answer["agent_used"], decision["chosen_agent"]) == (f"{NAMESPACE}/{KEEPER}",) * 2
    assert (decision["model"], decision["reason"]) == ("openai-compatible:zoo-lead", zoo.CHOICE["reason"])
    before = len(paid(animals.installation, NAMESPACE, "failing"))
    answer = await asked(asking, f"/agents/{NAMESPACE}/{PATCHY}/chat")
    assert answer["model"] == "openai-compatible:zoo-last"
    assert len(paid(animals.installation, NAMESPACE, "failing")) == before + 1, "the first model was asked as well"


def test_what_is_wrong_with_models_is_in_the_status_until_it_is_put_right(animals: Bench) -> None:
    limited = animals.until_condition(
        "agents", PATCHY, condition="ModelsLimited", reason="ModelUnusable", deadline=STATUS_SECONDS
    )
    message = limited["message"]
    for said in (
        "model keyless (openai-compatible:zoo-1): the API key is missing",
        "create the Secret that apiKeyRef names",
        "model refused (openai-compatible:zoo-1): the provider refused the API key: write a valid key into the Secret",
    ):
        assert said in message
    assert "model own" not in message
    assert animals.condition("agents", PATCHY)["status"] == "True", "another model answers"
    unusable = animals.until_condition("agents", SLOW, status="False", reason="ModelsUnusable", deadline=STATUS_SECONDS)
    assert "create the Secret that apiKeyRef names" in unusable["message"]
    before = animals.revisions(SLOW)
    animals.apply(secret("absent", "right-key"), secret("refused", "right-key"), secret("late", "right-key"))
    animals.until_condition("agents", SLOW)
    assert animals.revisions(SLOW) == before, "the key is read by the same pods"
    assert set(animals.installation.restarts(NAMESPACE, agent=SLOW).values()) == {0}

    def now() -> str:
        return str(animals.condition("agents", PATCHY, "ModelsLimited").get("message", ""))

    unknown = (
        "model unknown (openai-compatible:zoo-0): there is no model zoo-0 at http://strict.zoo.svc/v1: check model and "
        "baseURL, and that the key may use it"
    )
    wait(lambda: now() == unknown, now, deadline=STATUS_SECONDS)
    animals.apply(agent(PATCHY, models=broken("zoo-1")))
    wait(lambda: not now() and animals.get("agents", PATCHY)["status"]["phase"] == "Ready", now)


async def test_a_key_is_rotated_without_a_rollout_or_a_lost_question(
    asking: aiohttp.ClientSession, animals: Bench
) -> None:
    animals.until_condition("agents", KEEPER)
    name, before = f"{NAMESPACE}/{KEEPER}", animals.revisions(KEEPER)
    started = animals.installation.restarts(NAMESPACE, agent=KEEPER)

    def keys() -> set[str]:
        return {each["key"] for each in paid(animals.installation, NAMESPACE, "llm") if each["model"] == "zoo-1"}

    async with traffic(asking, 2, agent=name, question=zoo.QUESTION) as running:
        await asyncio.to_thread(animals.apply, secret(KEEPER, "second-key"))
        await until_seen(lambda: "second-key" in keys(), "a request with the new key", deadline=STATUS_SECONDS)
        running.stop()
    assert all(isinstance(each, dict) and each["answer"] == zoo.SAID for each in running.answers), running.answers
    await ask(asking, zoo.QUESTION, agent=name)
    assert paid(animals.installation, NAMESPACE, "llm")[-1]["key"] == "second-key"
    assert animals.revisions(KEEPER) == before
    assert animals.installation.restarts(NAMESPACE, agent=KEEPER) == started, "no pod was replaced"


async def test_a_pod_killed_while_its_model_writes_costs_no_answer_and_each_call_is_counted(
    asking: aiohttp.ClientSession, animals: Bench
) -> None:
    animals.until_condition("agents", SLOW)
    installation = animals.installation
    pods = await asyncio.to_thread(installation.renew, NAMESPACE, count=2, agent=SLOW)
    before = len(paid(installation, NAMESPACE, "pausing"))
    victim = installation.container(NAMESPACE, pods[0])
    streams = await open_streams(asking, STREAMS, zoo.QUESTION, agent=f"{NAMESPACE}/{SLOW}")
    await asyncio.to_thread(installation.kill, victim)
    transcripts = [await stream.whole() for stream in streams]
    for transcript in transcripts:
        transcript.assert_whole(TWO_SENTENCES)
    restarts = sum(transcript.restarts for transcript in transcripts)
    assert restarts, "no stream was in the pod that was killed"
    assert len(paid(installation, NAMESPACE, "pausing")) - before == STREAMS + restarts
    await until_seen(lambda: len(installation.ready_pods(NAMESPACE, agent=SLOW)) == 2, "two pods again", deadline=60)
    assert sum(repeated(installation, pod) for pod in pods) == restarts


def repeated(installation: Installation, pod: str) -> int:
    """The model calls that a pod counts as made again. None if it was started since."""
    page = installation.kube.run("exec", pod, f"--namespace={NAMESPACE}", "--", "python3", "-c", METRICS)
    counted = [line for line in page.splitlines() if line.startswith("slipway_model_calls_repeated_total{")]
    return int(sum(float(line.rpartition(" ")[2]) for line in counted))


async def test_the_example_team_answers_through_its_orchestrator(asking: aiohttp.ClientSession, team: Bench) -> None:
    for name in ("concierge", "people", "devices"):
        team.until_condition("agents", name)
    for question, member, said in (
        ("How many days of leave do I have?", "people", "28 days"),
        ("I forgot my password, how do I reset it?", "devices", "reset.example.com"),
    ):
        answer = await ask(asking, question, agent="demo/concierge")
        assert (answer["agent_used"], answer["abstained"]) == (f"demo/{member}", False)
        assert said in answer["answer"]
        assert answer["sources"]
        assert answer["orchestration"]["chosen_agent"] == f"demo/{member}"


def test_the_policies_allow_every_connection_of_these_agents(animals: Bench, team: Bench) -> None:
    """By evaluation: this cluster's network enforces none."""
    objects = animals.installation.kube.items("pods,services,networkpolicies", "--all-namespaces")
    for bench in (animals, team):
        agents = [Agent.model_validate(each) for each in bench.items("agents")]
        assert len(agents) >= 3
        for each in agents:
            assert closed(each, objects) == [], each.metadata.name
