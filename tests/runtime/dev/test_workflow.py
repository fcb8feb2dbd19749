"""Workflows by `slipway dev`: the example as it is, through the local gateway, and a run that outlives the process."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_runtime.dev.parts import SEED, SEED_BYTES, kept_signer
from slipway_runtime.identity import InvalidKey
from tests.support.dev_process import DevProcess
from tests.support.waiting import until_async

EXAMPLE = Path(__file__).parents[3] / "examples" / "workflow"
RUNS = "/workflows/demo/document-analysis-and-extraction/runs"
STEPS = ["analyze_task", "search_documents", "create_workflow"]
TASK = {"input": {"task": "Extract the totals of the invoices and approve them."}}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    process = DevProcess(tmp_path_factory.mktemp("workflow"), "--port", "0")
    process.replace("\n---\n".join((EXAMPLE / name).read_text() for name in ("agents.yaml", "workflow.yaml")))
    process.start()
    yield process
    process.stop()


async def events(response: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) async for line in response.content if line.startswith(b"data: ")]


async def test_the_example_runs_with_its_progress_as_events(dev: DevProcess) -> None:
    headers = {"Accept": "text/event-stream"}
    async with aiohttp.ClientSession(await dev.url()) as client:
        async with client.post(RUNS, json=TASK, headers=headers) as response:
            assert response.status == 200, await response.text()
            found = await events(response)
        assert [each["step"] for each in found if each["type"] == "step_ended"] == STEPS, found
        assert [each["agent"] for each in found if each["type"] == "step_started"] == [
            "analyst",
            "librarian",
            "planner",
        ]
        assert found[-1]["type"] == "done"
        assert found[-1]["output"]["passages"], found[-1]
        async with client.get(f"{RUNS}/{found[0]['run_id']}") as response:
            run = await response.json()
        assert [(step["step"], step["state"]) for step in run["steps"]] == [(name, "succeeded") for name in STEPS]
        assert run["steps"][0]["candidates"] == ["analyst"]


WAITING = """
apiVersion: slipway.dev/v1alpha1
kind: Workflow
metadata: {name: waiting, namespace: demo}
spec:
  steps:
    - {name: allow, approval: {message: Go on?, expires: 1h}}
    - {name: ask, needs: [allow], agentRef: {name: planner}, ask: What is next?, retry: {attempts: 1}}
"""


async def reached(client: aiohttp.ClientSession, run: str, *states: str) -> dict[str, Any]:
    """The run, once it is in one of these states."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        async with client.get(run) as response:
            found.update(await response.json())
        return found["state"] in states

    await until_async(there, f"the run is {states}")
    return found


async def test_a_run_that_waits_calls_agents_after_a_restart(tmp_path: Path) -> None:
    process = DevProcess(tmp_path, "--port", "0")
    process.replace("\n---\n".join([(EXAMPLE / "agents.yaml").read_text(), WAITING]))
    process.start()
    try:
        async with aiohttp.ClientSession(await process.url()) as client:
            async with client.post("/workflows/demo/waiting/runs", json={"input": {}}) as response:
                run = f"/workflows/demo/waiting/runs/{(await response.json())['run_id']}"
            await reached(client, run, "waiting")
        seed = process.data / SEED
        assert (stat.S_IMODE(seed.stat().st_mode), len(seed.read_bytes())) == (0o600, SEED_BYTES)
        process.stop()
        process.start()
        async with aiohttp.ClientSession(await process.url()) as client:
            async with client.post(f"{run}/steps/allow/decision", json={"approved": True}) as response:
                assert response.status == 200, await response.text()
            ended = await reached(client, run, "done", "failed")
        assert ended["state"] == "done", ended
    finally:
        process.stop()


def test_a_seed_of_no_worth_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / SEED).write_bytes(b"short")
    with pytest.raises(InvalidKey, match=f"{SEED}: an Ed25519 seed has 32 bytes, not 5: remove it"):
        kept_signer(tmp_path)
