"""What a host process reports about itself: one trace id in traces and logs, no questions or answers in anything."""

import asyncio
import gzip
import json
import signal
from pathlib import Path

import aiohttp

from slipway_runtime.identity import HEADER, Caller
from tests.support.asking import ask_json
from tests.support.host_process import host_process
from tests.support.otlp import otlp_receiver
from tests.support.scripts import AGENT, SIGNER

RUNS = f"/agents/{AGENT}/runs"
TRACE = "0af7651916cd43dd8448eb211c80319c"
MARKER = "xyzzyMARKER"


async def everything_is_asked(session: aiohttp.ClientSession) -> None:
    """A question that is answered, one that fails, one that is refused, and the probes."""
    async with session.post(RUNS, json=ask_json(f"{MARKER} 4 words echo")) as response:
        assert MARKER in await response.text()
    async with session.post(RUNS, json=ask_json(f"{MARKER} fail")) as response:
        text = await response.text()
        assert "InternalError" in text
        assert MARKER not in text
    async with session.post(RUNS, json={**ask_json(MARKER), MARKER: 1}) as response:
        assert response.status == 422
    for path in ("/livez", "/readyz"):
        async with session.get(path) as response:
            assert response.status == 200


async def test_traces_logs_and_metrics_tell_all_but_the_texts(tmp_path: Path) -> None:
    headers = {
        HEADER: SIGNER.sign(Caller.by_key("alice"), AGENT),
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    }
    with (
        otlp_receiver() as receiver,
        host_process(
            tmp_path,
            f"sqlite:///{tmp_path}/store.db",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_BSP_SCHEDULE_DELAY="50",
        ) as host,
    ):
        async with aiohttp.ClientSession(host.url, headers=headers) as session:
            await everything_is_asked(session)
            async with session.get(host.metrics_url) as response:
                metrics = await response.text()
        host.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(host.process.wait, 30) == 0

    ours = [span for span in receiver.spans if span.trace_id == TRACE]
    assert {span.service for span in ours} == {"slipway-host"}
    assert {"host chat", "run", "store question", "store events"} <= {span.name for span in ours}
    assert receiver.spans == ours, "probes and metrics are not traced"

    lines = [json.loads(line) for line in host.log.read_text().splitlines()]
    ended = [line for line in lines if line["message"] == "run ended"]
    assert [(line["trace_id"], line["outcome"], line["agent"]) for line in ended] == [
        (TRACE, "done", AGENT),
        (TRACE, "InternalError", AGENT),
    ]
    (failure,) = [line for line in lines if line["message"] == "the agent failed"]
    assert (failure["error"], failure["trace_id"]) == ("ValueError", TRACE)
    assert "scripted_host.py" in failure["raised_at"]

    assert f'slipway_runs_total{{agent="{AGENT}",outcome="done"}} 1.0' in metrics
    raw = bytes(receiver.raw)
    for told in (host.log.read_bytes(), metrics.encode(), raw, gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw):
        assert MARKER.encode() not in told
