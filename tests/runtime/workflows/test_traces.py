"""A run is one trace, from the request that began it to the agents that it calls, and has no texts in it."""

from contextlib import AsyncExitStack
from pathlib import Path

import yaml

from slipway_crds.workflows.model import Workflow
from tests.support.otlp import otlp_receiver
from tests.support.waiting import until
from tests.support.worker_process import standing_in, workers_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPEC = """
steps:
  - {name: one, agentRef: {name: a}, tool: act, params: {text: "${input.text}"}}
  - {name: two, needs: [one], agentRef: {name: a}, tool: act}
"""
ASKED = "xyzzyasked"


async def test_a_run_is_one_trace(stack: AsyncExitStack, tmp_path: Path, store_dsn: str) -> None:
    gateway, url = await stack.enter_async_context(standing_in())
    receiver = stack.enter_context(otlp_receiver())
    workers = stack.enter_context(workers_of(tmp_path, store_dsn, url))
    metadata = {"name": "test", "namespace": "demo"}
    workers.define(Workflow.model_validate({"metadata": metadata, "spec": yaml.safe_load(SPEC)}))
    worker = workers.start(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
    await workers.ready(worker)
    body = {"input": {"text": ASKED}}
    await workers.ask("POST", "runs", body, trace=f"00-{TRACE}-b7ad6b7169203331-01")
    await until(lambda: [span.name for span in receiver.spans].count("workflow") == 1, "the run's span was sent")
    own = [span for span in receiver.spans if span.trace_id == TRACE]
    assert sorted(span.name for span in own) == ["step", "step", "worker", "workflow"]
    (run,) = (span for span in own if span.name == "workflow")
    assert {span.parent_id for span in own if span.name == "step"} == {run.span_id}
    assert gateway.traces == {TRACE}
    for told in (receiver.raw.decode(errors="replace"), worker.log.read_text()):
        assert ASKED not in told
