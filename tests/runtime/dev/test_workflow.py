"""Workflows by `slipway dev`: the example as it is, through the local gateway."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_runtime.dev.parts import SEED, kept_signer
from slipway_runtime.identity import InvalidKey
from tests.support.dev_process import DevProcess

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


def test_a_seed_of_no_worth_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / SEED).write_bytes(b"short")
    with pytest.raises(InvalidKey, match=f"{SEED}: an Ed25519 seed has 32 bytes, not 5: remove it"):
        kept_signer(tmp_path)
