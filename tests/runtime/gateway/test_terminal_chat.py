"""`slipway chat` against a real gateway: a conversation goes on, and inputs are asked for."""

import asyncio
from collections.abc import Iterable

import pytest

from slipway_runtime.ask import ANSWERED, FAILED, Asking
from slipway_runtime.chat import main
from tests.runtime.gateway.conftest import SUPPORT, Front
from tests.support.scripted_host import words

Capture = pytest.CaptureFixture[str]


async def chat(url: str, lines: Iterable[str], *, question: str = "") -> int:
    """Type these lines, and leave."""
    typed = iter(lines)

    def prompt(_: str) -> str:
        line = next(typed, None)
        if line is None:
            raise EOFError
        return line

    return await asyncio.to_thread(main, Asking(question=question, url=url), prompt=prompt)


async def test_a_conversation_goes_on_until_another_one_is_begun(front: Front, capsys: Capture) -> None:
    asked = ["say 4 words", "", "/new", "say 3 words", "/quit", "never asked"]
    assert await chat(front.url, asked, question="say 5 words") == ANSWERED
    printed = capsys.readouterr().out
    for count in (5, 4, 3):
        assert "".join(words(count)).strip() in printed
    assert "never" not in printed
    async with front.client.get(f"/agents/{SUPPORT}/runs") as response:
        runs = (await response.json())["runs"]
    first, second, third = sorted(runs, key=lambda run: run["created"])
    assert first["session_id"] == second["session_id"] != third["session_id"]


@pytest.mark.parametrize("reply", ["y", "", None], ids=["yes", "no", "the end of the input"])
async def test_an_approval_is_asked_for(front: Front, capsys: Capture, reply: str | None) -> None:
    typed = [] if reply is None else [reply]
    assert await chat(front.url, typed, question="ask me and say 4 words") == ANSWERED
    printed = capsys.readouterr().out
    assert "Go on?" in printed
    assert ("".join(words(4)).strip() in printed) is (reply == "y")


async def test_what_is_refused_ends_no_conversation(front: Front, capsys: Capture) -> None:
    assert await chat(front.url, ["x" * 40_000, "say 4 words"]) == ANSWERED
    printed = capsys.readouterr().out
    assert "QuestionTooLarge" in printed or "InvalidRequest" in printed
    assert "".join(words(4)).strip() in printed


async def test_an_answer_does_not_control_the_terminal(front: Front, capsys: Capture) -> None:
    hostile = "\x1b]0;owned\x07\x9b2J\u202etxt"
    assert await chat(front.url, [], question=f"{hostile} 4 words echo") == ANSWERED
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(capsys.readouterr().out)


async def test_a_gateway_that_is_not_there_is_named(capsys: Capture) -> None:
    assert await chat("http://127.0.0.1:9", []) == FAILED
    assert "cannot be reached" in capsys.readouterr().err
