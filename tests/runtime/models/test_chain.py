"""Models fall over to the next one in every way in which a provider can fail, with the providers' own SDKs."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import UnexpectedModelBehavior

from slipway_runtime.models import Models, watching
from slipway_runtime.problems import Problem, Reason
from tests.support.model_server import Call, ModelServer, Reply, model_server
from tests.support.model_wire import Fault
from tests.support.models import Recorder, ask, entry, make_models
from tests.support.waiting import until

IN_DEPTH = ("openai-compatible", "openai", "anthropic")
BY_CONTRACT = ("google", "bedrock")
"""Tried with the real SDKs against the documented wire formats, never against the provider."""
FAULTS: tuple[Fault, ...] = (
    *("hang", "stall", "cut", "cut_clean", "error_frame", "malformed", "refusal", "rate_limited"),
    *("server_error", "overloaded", "refused_key", "unknown_model", "endless"),
)
MID_STREAM = ("stall", "cut_clean", "error_frame", "refusal", "endless")
"""Text has been shown by then. A reset (`cut`) may overtake the text."""
SILENT = ("hang", "stall")
"""Ended by the time-out. The others end by themselves, however slow the machine is."""
CASES = [
    *[(provider, fault) for provider in ("openai-compatible", "anthropic") for fault in FAULTS],
    # OpenAI is asked by the same class and SDK as servers compatible with it.
    *[(provider, fault) for provider in ("openai", *BY_CONTRACT) for fault in ("hang", "cut_clean", "rate_limited")],
    *[(provider, "refusal") for provider in BY_CONTRACT],
]


def seconds_of(fault: Fault, streamed: bool) -> float:
    """The time-out of a model that fails: short where it is what ends the request."""
    return 1 if fault in SILENT or (fault == "endless" and not streamed) else 20


def pair(bad: ModelServer, good: ModelServer, provider: str, *, seconds: float = 20) -> Models:
    """A model that fails, and one that answers."""
    return make_models(
        entry(bad, provider, seconds=seconds, settings={"max_tokens": 100}),
        entry(good, name="second", model="other-model", seconds=60),
    )


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("provider", [*IN_DEPTH, *BY_CONTRACT])
async def test_every_provider_answers(provider: str, streamed: bool) -> None:
    with model_server(Reply("Hello there my friend.", cached_tokens=4 if provider != "bedrock" else 0)) as server:
        models = make_models(entry(server, provider))
        result, seen = await ask(models, streamed=streamed)
    assert result.output == "Hello there my friend."
    assert seen.text == (result.output if streamed else "")
    assert models.answered_by(result.response).name == "first"
    (usage,) = seen.usages
    assert (usage.model, usage.requests) == (f"{provider}:{entry('', provider).model}", 1)
    assert (usage.input_tokens, usage.output_tokens) == (10, 5)
    assert usage == models.usage_of(result.response)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("provider", IN_DEPTH)
async def test_half_an_emoji_is_no_answer_since_it_cannot_be_stored(provider: str, streamed: bool) -> None:
    with model_server("An answer \ud83d with a half.") as bad, model_server("The answer.") as good:
        result, seen = await ask(pair(bad, good, provider), streamed=streamed)
    assert (result.output, seen.text) == ("The answer.", "The answer." if streamed else "")


async def test_half_an_emoji_in_a_tools_argument_is_no_answer() -> None:
    called = Reply(calls=(Call("search", {"query": "\ud83d"}),))
    with model_server(called) as bad, model_server("The answer.") as good:
        result, _ = await ask(pair(bad, good, "anthropic"), streamed=False)
    assert result.output == "The answer."


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("provider", "fault"), CASES)
async def test_the_next_model_answers(provider: str, fault: Fault, streamed: bool) -> None:
    broken = Reply("Some words that are void " * 20, fault=fault, seconds=0.001)
    with model_server(broken) as bad, model_server("The answer.") as good:
        models = pair(bad, good, provider, seconds=seconds_of(fault, streamed))
        result, seen = await ask(models, streamed=streamed)
    assert result.output == "The answer."
    assert models.answered_by(result.response).name == "second"
    assert seen.text == ("The answer." if streamed else ""), "what the first had said is void"
    if streamed and fault in MID_STREAM:
        (reason,) = seen.reasons
        assert "void" not in reason
        assert reason.startswith(f"{provider}:")
    if not streamed:
        assert seen.reasons == []
    assert len(bad.requests) == 1, "SDKs must not try again by themselves"
    assert [usage.model.partition(":")[0] for usage in seen.usages] == [provider, "openai-compatible"]
    (failed,) = result.response.failed_attempts
    assert "void" not in failed.error


async def test_a_slow_first_byte_within_the_time_out_is_waited_for() -> None:
    with model_server(Reply("Slow.", fault="slow", seconds=0.3)) as slow, model_server("Other.") as other:
        result, _ = await ask(pair(slow, other, "openai"))
    assert result.output == "Slow."


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("asked", "sent"), [(4096, 100), (100, 100), (7, 7)])
async def test_a_caller_may_lower_the_limit_of_an_entry_and_not_raise_it(asked: int, sent: int, streamed: bool) -> None:
    with model_server("Short.") as server:
        models = make_models(entry(server, "openai-compatible", settings={"max_tokens": 100}))
        await ask(models, streamed=streamed, settings={"max_tokens": asked})
    assert server.requests[0].body["max_tokens"] == sent


async def test_keep_alives_do_not_make_a_silent_provider_an_answering_one() -> None:
    """Comments in the stream are bytes, so a time-out of the HTTP client never ends it."""
    with model_server(Reply("Never.", fault="comments", seconds=0.05)) as silent, model_server("Other.") as other:
        result, _ = await ask(pair(silent, other, "openai-compatible", seconds=0.5))
    assert result.output == "Other."


async def test_the_usage_of_an_answer_that_broke_off_is_estimated() -> None:
    with model_server(Reply("word " * 40, fault="cut_clean")) as bad, model_server("Good.") as good:
        _, seen = await ask(pair(bad, good, "openai"))
    broken, whole = seen.usages
    assert broken.output_tokens >= 20
    assert broken.input_tokens > 0
    assert broken.cost is not None, "gpt-5-mini has a price in the table"
    assert (whole.output_tokens, whole.cost) == (5, None)


async def test_a_cancelled_request_is_counted() -> None:
    recorder = Recorder()
    with model_server(Reply("word " * 40, fault="stall")) as server:
        models = make_models(entry(server, "anthropic", seconds=30))

        async def ask_into() -> None:
            with watching(recorder):
                await Agent(models.for_role(None)).run("Who?", event_stream_handler=recorder.handle)

        task = asyncio.create_task(ask_into())
        await until(lambda: recorder.text, "some text")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (usage,) = recorder.usages
    assert usage.input_tokens == 10, "Anthropic reports input tokens with the first event"


class Answer(BaseModel):
    days: int


@pytest.mark.parametrize(
    ("provider", "output"),
    [
        *[(provider, Answer) for provider in (*IN_DEPTH, *BY_CONTRACT)],
        *[(provider, NativeOutput(Answer)) for provider in (*IN_DEPTH, "google")],
    ],
)
async def test_output_of_the_wrong_schema_is_asked_for_again(provider: str, output: Any) -> None:
    """The repair is a request of its own, which may go to a stronger model."""
    wrong, right = Reply(output={"days": "many"}), Reply(output={"days": 30})
    with model_server([wrong, right]) as server:
        models = make_models(entry(server, provider))
        result = await Agent(models.for_role("structured_output"), output_type=output).run("How many days?")
    assert result.output == Answer(days=30)
    assert len(server.requests) == 2
    assert result.usage.requests == 2


async def test_a_schema_that_no_model_satisfies_ends() -> None:
    with model_server(Reply(output={"days": "many"})) as server:
        agent = Agent(make_models(entry(server)).for_role(None), output_type=Answer, retries=2)
        with pytest.raises(UnexpectedModelBehavior):
            await agent.run("How many days?")
        assert len(server.requests) == 3


async def test_the_last_models_refusal_is_the_answer() -> None:
    with model_server(Reply("I would rather not say.", fault="refusal")) as server:
        result, _ = await ask(make_models(entry(server)))
    assert result.response.finish_reason == "content_filter"
    assert result.output


async def test_when_no_model_answers_the_caller_reads_why() -> None:
    with model_server(Reply(fault="rate_limited")) as busy, model_server("Never.", key="valid") as locked:
        models = make_models(entry(busy), entry(locked, "anthropic", name="second"))
        with pytest.raises(Problem) as raised:
            await ask(models)
    assert raised.value.reason is Reason.MODELS_UNAVAILABLE
    assert raised.value.retry_after == 1, "as the provider said"
    assert "openai-compatible:test-model is over its rate limit" in raised.value.detail
    assert "anthropic:claude-sonnet-5 refused the API key: check the Secret of apiKeyRef" in raised.value.detail
    assert "scripted" not in raised.value.detail


async def test_roles_choose_among_the_models() -> None:
    with model_server("An answer.") as server:
        models = make_models(
            entry(server, name="quick", model="quick", roles=("fast_routing",)),
            entry(server, name="deep", model="deep", roles=("complex_reasoning", "structured_output")),
            entry(server, name="any", model="any"),
        )
        names = {
            role: [link.config.name for link in models.for_role(role).links]
            for role in ("fast_routing", "structured_output", None)
        }
    assert names == {
        "fast_routing": ["quick", "any"],
        "structured_output": ["deep", "any"],
        None: ["quick", "deep", "any"],
    }
    with model_server("An answer.") as server:
        alone = make_models(entry(server, roles=("fast_routing",)))
        assert [link.config.name for link in alone.for_role("complex_reasoning").links] == ["first"]
