"""The example team, as it is, by `slipway dev`: who is asked, and that no model is needed."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.waiting import until

TEAM = Path(__file__).parents[3] / "examples" / "team"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the local driver's gateway."""
    folder = tmp_path_factory.mktemp("team")
    log = folder / "log"
    command: list[str | Path] = [
        Path(sys.executable).with_name("slipway"),
        "dev",
        "-f",
        TEAM,
        "--data",
        folder / "data",
        "--port",
        "0",
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, "COLUMNS": "200"})
    try:
        asyncio.run(until(lambda: "serving at http" in log.read_text(), "it serves", deadline=120))
        found = re.search(r"serving at (http://\S+)", log.read_text())
        assert found
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


async def ask(url: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession(url) as client, client.post("/smart/chat", json=body) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize(
    ("question", "member", "said"),
    [
        ("How many days of leave do I have?", "people", "28 days"),
        ("How much may a hotel cost?", "people", "140 euros"),
        ("From which day on do I need a note of the doctor?", "people", "fourth sick day"),
        ("I forgot my password, how do I reset it?", "devices", "reset.example.com"),
        ("After how many years is a laptop replaced?", "devices", "four years"),
        ("What do I need the VPN for?", "devices", "time sheet"),
    ],
)
async def test_the_member_that_knows_answers(url: str, question: str, member: str, said: str) -> None:
    status, answer = await ask(url, question=question)
    assert (status, answer["agent_used"]) == (200, f"demo/{member}"), answer
    assert said in answer["answer"]
    assert answer["orchestration"]["chosen_agent"] == f"demo/{member}"
    assert answer["sources"]


async def test_what_nobody_knows_is_not_answered(url: str) -> None:
    status, answer = await ask(url, question="Who won the chess championship of 1972?")
    assert (status, answer["abstained"], answer["sources"]) == (200, True, [])


async def test_a_member_is_forced(url: str) -> None:
    status, answer = await ask(url, question="How many days of leave do I have?", force_agent="devices")
    assert (status, answer["agent_used"]) == (200, "demo/devices")
