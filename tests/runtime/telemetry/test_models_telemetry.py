"""Questions to an agent of each architecture with a model: texts are in no log, span or metric unless an agent says so.

Host and gateway are real processes; the model is a stand-in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from slipway_crds.runtimeconfig import AgentBindings, AgentConfig, Bindings
from tests.support.chaos_agents import AGENTS, configs, spec
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, GatewayProcess, gateway_process, publish
from tests.support.host_process import REAL, HostProcess, host_process
from tests.support.knowledge import Knowledge, contents
from tests.support.model_server import Asked, Call, Reply, model_server
from tests.support.otlp import otlp_receiver
from tests.support.servers import free_port
from tests.support.waiting import until, until_async

MARKERS = {
    name: f"xyzzy{name}"
    for name in ("question", "instructions", "document", "argument", "context", "nonsense", "error")
}
FACT = f"Green tea is brewed at {MARKERS['document']} degrees"
QUESTION = {"question": f"How is green tea brewed? {MARKERS['question']}", "context": {"note": MARKERS["context"]}}
NAMES = {"gateway chat", "host chat", "run", "retrieval", "chat any"}
IN_SPANS = ("question", "instructions", "document", "argument")
"""What spans have of an agent that says so; the rest is what models and callers get wrong."""


def model(asked: Asked) -> Reply:
    """Searches, asks the other agent, and says what the document says; asked to, it talks nonsense."""
    messages = str(asked.body["messages"])
    if "talk nonsense" in messages:
        return Reply(f"No JSON: {MARKERS['nonsense']}")
    tools = {each["function"]["name"]: each["function"]["parameters"] for each in asked.body.get("tools", ())}
    called = [
        each["function"]["name"] for message in asked.body["messages"] for each in message.get("tool_calls") or ()
    ]
    for name, argument in (("search_documents", "query"), ("ask-lang", "question")):
        if name in tools and name not in called:
            return Reply(calls=(Call(name, {argument: f"How is tea brewed? {MARKERS['argument']}"}),))
    outputs = {
        "queries": [f"How is tea brewed? {MARKERS['argument']}"],
        "faults": [],
        "ranking": ["pyd", "lang"],
        "answer": f"{FACT} [1].",
        "task_category": "lookup",
        "task_complexity": "simple",
        "reason": MARKERS["argument"],
        "confidence": 0.9,
    }
    schema = next((schema for name, schema in tools.items() if name.startswith("final_result")), None)
    if schema is None:
        return Reply(f"{FACT} [1].")
    return Reply(output={name: outputs[name] for name in schema["properties"]})


@contextmanager
def processes(
    folders: list[Path], cluster: FakeKubernetes, served: Knowledge, agents: list[AgentConfig], **environment: str
) -> Iterator[tuple[GatewayProcess, HostProcess]]:
    """A gateway and a host with these agents, which find each other."""
    port = str(free_port())
    dsn, chroma = environment.pop("dsn"), environment.pop("chroma")
    with (
        gateway_process(folders[1], cluster, SLIPWAY_PORT=port, **environment) as gateway,
        host_process(
            folders[0],
            dsn,
            command=REAL,
            agents=agents,
            SLIPWAY_CHROMA_URL=chroma,
            SLIPWAY_GATEWAY_URL=f"http://127.0.0.1:{port}",
            SLIPWAY_BINDINGS=str(folders[0] / "bindings.json"),
            **environment,
        ) as host,
    ):
        gateway.url = f"http://127.0.0.1:{port}"
        for name in AGENTS:
            publish(cluster, host.url, namespace=served.namespace, name=name, spec=spec(name))
        yield gateway, host


async def test_texts_are_reported_only_where_an_agent_says_so(
    tmp_path: Path, cluster: FakeKubernetes, served: Knowledge, store_dsn: str, chroma_url: str
) -> None:
    await served.ingestion(served.config(index="tea")).run(contents(tea_md=f"# Tea\n\n{FACT}.\n"))
    folders = [tmp_path / name for name in ("host", "gateway")]
    for folder in folders:
        folder.mkdir()
    with otlp_receiver() as receiver, model_server(model) as server:
        telling = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        agents = [
            each.model_copy(update={"instructions": f"You know tea. {MARKERS['instructions']}"})
            for each in configs(served.namespace, server.base_url)
        ]
        started = processes(folders, cluster, served, agents, dsn=store_dsn, chroma=chroma_url, **telling)
        with started as (gateway, host):
            async with aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as client:
                await until_async(lambda: gateway.ready(client), "the gateway is ready")
                await ask_all(client, served.namespace)
                await until(lambda: {span.name for span in receiver.spans} >= NAMES, "spans were sent")
                runs = len(AGENTS) + 1
                await until(lambda: sum(span.name == "run" for span in receiver.spans) >= runs, "of all runs")
                silent = bytes(receiver.raw)
                content = {f"{served.namespace}/{name}": AgentBindings(telemetry_content=True) for name in AGENTS}
                (folders[0] / "bindings.json").write_text(Bindings(agents=content).model_dump_json())

                async def told() -> bool:
                    await ask_all(client, served.namespace)
                    return all(MARKERS[each].encode() in receiver.raw for each in IN_SPANS)

                await until_async(told, "the bindings are read again", deadline=60)
                metrics = [await (await client.get(url)).text() for url in (gateway.metrics_url, host.metrics_url)]
        logs = [gateway.log.read_text(), host.log.read_text()]
    for said in (*logs, *metrics, silent.decode(errors="replace")):
        assert [marker for marker in MARKERS.values() if marker in said] == []


async def ask_all(client: aiohttp.ClientSession, namespace: str) -> None:
    """Ask each agent, rightly, wrongly, and for what its model cannot give."""
    for name in AGENTS:
        path = f"/agents/{namespace}/{name}/chat"
        async with client.post(path, json=QUESTION) as response:
            assert (response.status, MARKERS["document"] in (await response.json())["answer"]) == (200, True)
        async with client.post(path, json={**QUESTION, MARKERS["error"]: 1}) as response:
            assert response.status == 422
    broken = {"question": f"Please talk nonsense about {MARKERS['question']}"}
    async with client.post(f"/agents/{namespace}/hyb/chat", json=broken) as response:
        assert (response.status, (await response.json())["reason"]) == (422, "InvalidOutput")
