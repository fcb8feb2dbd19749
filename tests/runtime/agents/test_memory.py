"""In a long conversation a model gets the newest turns and a summary of those before."""

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from slipway_runtime.agents.memory import STEP
from slipway_runtime.agents.orchestrator import ask_of
from slipway_runtime.events import Event, Usage
from slipway_runtime.run import AgentRequest
from slipway_runtime.store.sessions import FinishedTurn, Summary
from tests.support.attempts import Attempts
from tests.support.knowledge import Knowledge
from tests.support.model_agents import ask, close_all, thinker
from tests.support.model_server import Asked, Reply, model_server


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await close_all()


def turns(first: int, last: int) -> tuple[FinishedTurn, ...]:
    return tuple(FinishedTurn(f"Question {n}?", f"Answer {n}.", False, n) for n in range(first, last + 1))


def sent(asked: Asked) -> str:
    return json.dumps(asked.body["messages"])


def is_summary(asked: Asked) -> bool:
    return "You keep the notes" in sent(asked)


def typed(asked: Asked) -> Reply:
    """Notes for the summary; for anything else an answer, as output where that is asked for."""
    if is_summary(asked):
        return Reply("Alice asked ten things.")
    tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in asked.body.get("tools", ())}
    for schema in tools.values():
        if "answer" in schema["properties"]:
            return Reply(output={"answer": "So it is."})
        if "faults" in schema["properties"]:
            return Reply(output={"faults": []})
    return Reply("So it is.")


def requests(events: Sequence[Event]) -> int:
    return sum(model.requests for event in events if isinstance(event, Usage) for model in event.models or ())


@pytest.mark.parametrize("architecture", ["langgraph", "pydantic-ai", "hybrid"])
async def test_older_turns_go_to_the_model_as_a_summary(local: Knowledge, architecture: str) -> None:
    with model_server(typed) as server:
        agent = thinker(local, server, architecture=architecture)
        done, events = await ask(agent, "And now?", turns=turns(1, 21))
    assert done.answer == "So it is."
    first, *others = server.requests
    assert [is_summary(asked) for asked in server.requests] == [True] + [False] * len(others)
    assert "Question 1?" in sent(first)
    assert "Question 11?" in sent(first)
    assert "Question 12?" not in sent(first)
    for asked in others:
        assert "Alice asked ten things." in sent(asked)
        assert "Question 11?" not in sent(asked)
        assert "Answer 12." in sent(asked)
        assert "Answer 21." in sent(asked)
    assert requests(events) == len(server.requests), "the summary is paid, so it counts"


async def test_a_summary_is_made_from_the_one_before(local: Knowledge) -> None:
    with model_server(typed) as server:
        await ask(thinker(local, server), "And?", turns=turns(12, 32), summary=Summary("Bob drinks tea.", 11))
    first, last = server.requests
    assert "Bob drinks tea." in sent(first)
    assert "Question 11?" not in sent(first)
    assert "Bob drinks tea." not in sent(last)


async def test_a_short_conversation_needs_no_summary(local: Knowledge) -> None:
    with model_server(typed) as server:
        await ask(thinker(local, server), "And?", turns=turns(12, 31), summary=Summary("Bob drinks tea.", 11))
    (only,) = server.requests
    assert "Bob drinks tea." in sent(only)
    assert "Question 12?" in sent(only)


async def test_a_small_context_is_kept_free_for_the_question(local: Knowledge) -> None:
    long = tuple(FinishedTurn(f"Question {n}? " + "x" * 900, "y" * 900, False, n) for n in range(1, 5))
    with model_server(typed) as server:
        agent = thinker(local, server, model={"context_tokens": 6_000})
        await ask(agent, "And now?", turns=long)
    assert [is_summary(asked) for asked in server.requests] == [True, False]
    assert "Question 3?" not in sent(server.requests[1])
    assert "Question 4?" in sent(server.requests[1])


async def test_without_a_summary_the_question_is_answered_all_the_same(local: Knowledge) -> None:
    def fail(asked: Asked) -> Reply:
        return Reply(fault="server_error") if is_summary(asked) else Reply("So it is.")

    with model_server(fail) as server:
        done, _ = await ask(thinker(local, server), "And now?", turns=turns(1, 21))
    assert done.answer == "So it is."
    assert "Question 1?" in sent(server.requests[-1])


async def test_a_summary_that_hangs_leaves_time_for_the_answer(local: Knowledge) -> None:
    def hang(asked: Asked) -> Reply:
        return Reply(fault="hang") if is_summary(asked) else Reply("So it is.")

    attempts, request = Attempts(), AgentRequest("And now?", turns=turns(1, 21))
    with model_server(hang) as server:
        agent = thinker(local, server)
        for _ in range(2):
            run = attempts.start(time_left=4.0)
            run.request = request
            assert (await agent.run(run)).answer == "So it is."
    assert [is_summary(asked) for asked in server.requests] == [True, False], "the second attempt does not try again"
    (failed,) = [each for each in attempts.left().finished.values() if each.state == "failed"]
    assert (failed.key, failed.value["message"]) == (STEP, "no summary came in time")


def test_a_member_of_an_orchestrator_gets_the_summary_too() -> None:
    asked = ask_of(AgentRequest("And?", turns=turns(12, 13), summary=Summary("Bob drinks tea.", 11)))
    assert asked.history is not None
    assert [message.role for message in asked.history] == ["system", "user", "assistant", "user", "assistant"]
    assert "Bob drinks tea." in asked.history[0].text
