"""Questions through a real gateway, a real host and the real agent: one trace, and their texts in no report."""

import json
from pathlib import Path

import aiohttp

from tests.support.chat import STREAM, events
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, gateway_process, publish
from tests.support.host_process import REAL, host_process
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.otlp import ReceivedSpan, otlp_receiver
from tests.support.scripts import hosted
from tests.support.waiting import until, until_async

TRACE, CLIENT_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ASKED, STORED = "xyzzyasked", "xyzzystored"
"""Markers: one in the questions, one in the documents and so in the answers."""
QUESTION = {"question": f"What is the elephant called? {ASKED}"}
PARENTS = {"gateway chat": "", "host chat": "gateway chat", "run": "host chat", "retrieval": "run"}


async def test_one_trace_and_no_texts(
    tmp_path: Path, cluster: FakeKubernetes, served: Knowledge, store_dsn: str, chroma_url: str
) -> None:
    text = f"# Zoo\nThe elephant is called {STORED}. She eats hay in the morning."
    await served.ingestion().run(contents(zoo_md=text))
    named = {"namespace": served.namespace, "name": "support", "knowledge": (entry(min_score=0.2),)}
    agent = hosted(None).config.model_copy(update=named)
    with otlp_receiver() as receiver:
        telling = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        with (
            host_process(
                tmp_path, store_dsn, command=REAL, agents=[agent], SLIPWAY_CHROMA_URL=chroma_url, **telling
            ) as host,
            gateway_process(tmp_path, cluster, **telling) as gateway,
        ):
            publish(cluster, host.url, namespace=served.namespace)
            async with aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as client:
                await until_async(lambda: gateway.ready(client), "the gateway is ready")
                await ask(client, f"/agents/{served.namespace}/support/chat")
            await until(lambda: set(PARENTS) <= {span.name for span in of_trace(receiver.spans)}, "spans were sent")
            async with aiohttp.ClientSession() as client:
                metrics = [await (await client.get(url)).text() for url in (gateway.metrics_url, host.metrics_url)]
            logs = [gateway.log.read_text(), host.log.read_text()]

    assert parents(of_trace(receiver.spans)) == PARENTS
    assert {span.name for span in receiver.spans if span.service == "slipway-gateway"} == {"gateway chat"}
    assert 'slipway_gateway_requests_total{agent="support",code="200",' in metrics[0]
    assert f'slipway_runs_total{{agent="{served.namespace}/support",outcome="abstained"}} 1.0' in metrics[1]
    assert TRACE in [line["trace_id"] for line in map(json.loads, logs[1].splitlines()) if "trace_id" in line]
    for told in (*logs, *metrics, receiver.raw.decode(errors="replace")):
        assert ASKED not in told
        assert STORED not in told


async def ask(client: aiohttp.ClientSession, path: str) -> None:
    """In every way: as JSON in a trace of the client's, as a stream, in vain, and wrongly."""
    traced = {"traceparent": f"00-{TRACE}-{CLIENT_SPAN}-01"}
    async with client.post(path, json=QUESTION, headers=traced) as response:
        assert STORED in (await response.json())["answer"]
    async with client.post(path, json=QUESTION, headers=STREAM) as response:
        assert STORED in [event async for _, event in events(response)][-1].model_dump_json()
    async with client.post(path, json={"question": f"How do tax havens work, {ASKED}?"}) as response:
        assert (await response.json())["abstained"]
    async with client.post(path, json={**QUESTION, ASKED: 1}) as response:
        assert response.status == 422


def of_trace(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
    """The spans of the client's trace that the test is about."""
    return [span for span in spans if span.trace_id == TRACE and span.name in PARENTS]


def parents(spans: list[ReceivedSpan]) -> dict[str, str]:
    """Name of each span and of its parent, which is empty for the client's."""
    names = {CLIENT_SPAN: "", **{span.span_id: span.name for span in spans}}
    assert len(names) == len(spans) + 1
    return {span.name: names[span.parent_id] for span in spans}
