"""Plugins around an answer: what they change is all that anybody sees, and one that fails is left out."""

import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest

from slipway_crds.runtimeconfig import MiddlewareConfig
from slipway_runtime.agents.steps import MemoryJournal, StepRun
from slipway_runtime.events import Artifact, Citation, Delta, Discarded, Done, MessageEnd, PluginFailed
from slipway_runtime.plugin_api import AnswerContext, Middleware, Refuse
from slipway_runtime.plugins.loading import code_plugin
from slipway_runtime.plugins.loading.code_plugin import CodePlugin, stages_of
from slipway_runtime.plugins.loading.failures import PluginBroken
from slipway_runtime.plugins.loading.isolation import Isolated
from slipway_runtime.plugins.middleware.guard import GuardPlugin
from slipway_runtime.plugins.middleware.guarded_agent import GuardedAgent
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import Message, TextPart
from slipway_runtime.run import AgentRequest, Emit, Run
from slipway_runtime.store.sessions import FinishedTurn
from slipway_runtime.store.steps import Replay, StepRecord

SOURCE = Citation(
    index="docs", source="docs", document="a.md", heading="", start=0, end=9, quote="Ask ida@example.com.", score=0.9
)
Speak = Callable[[Run], Awaitable[Done]]


class SpeakingAgent:
    """An agent that does what it is made with."""

    honours = frozenset(("history", "turns"))

    def __init__(self, speak: Speak) -> None:
        self._speak = speak

    async def run(self, run: Run) -> Done:
        return await self._speak(run)

    async def missing(self) -> list[str]:
        return []


class Redacting(Middleware):
    """Puts a word in place of every e-mail address of one domain."""

    def before(self, question: str, context: AnswerContext) -> str | Refuse | None:
        return Refuse("That is refused.") if "forbidden" in question else question.replace("ida@example.com", "[mail]")

    async def after(self, text: str, context: AnswerContext) -> str | None:
        return text.replace("ida@example.com", "[mail]") if "secret" not in text else ""

    def on_error(self, reason: str, message: str, context: AnswerContext) -> str | None:
        return f"{reason} for {context.agent}"


class Raising(Middleware):
    def before(self, question: str, context: AnswerContext) -> str | None:
        raise ValueError("no")

    def after(self, text: str, context: AnswerContext) -> str | None:
        raise ValueError("no")


class Hanging(Middleware):
    def __init__(self) -> None:
        self.calls, self.ends = 0, threading.Event()

    def after(self, text: str, context: AnswerContext) -> str | None:
        self.calls += 1
        self.ends.wait()
        return text


def around(middleware: Middleware, *, name: str = "pii", required: bool = False) -> GuardPlugin:
    async def load() -> CodePlugin:
        return CodePlugin(name, Isolated(name), middleware=middleware, stages=stages_of(middleware))

    return GuardPlugin(MiddlewareConfig(name=name, plugin=name, required=required, spec={}), load)


def missing(*, required: bool = False) -> GuardPlugin:
    """An entry whose plugin has no code."""

    async def load() -> CodePlugin:
        raise PluginBroken("its code is not there")

    return GuardPlugin(MiddlewareConfig(name="pii", plugin="pii", required=required, spec={}), load)


def saying(*pieces: str, answer: str | None = None, sources: Sequence[Citation] = ()) -> SpeakingAgent:
    """An agent that says pieces of a text in one step."""

    async def speak(run: Run) -> Done:
        async def say(emit: Emit) -> None:
            for piece in pieces:
                emit(Delta(text=piece))
            for each in sources:
                emit(Delta(text="", citation=each))

        await run.step("answer", say)
        return Done(answer="".join(pieces) if answer is None else answer, finish="stop", sources=tuple(sources))

    return SpeakingAgent(speak)


async def asked(
    agent: SpeakingAgent, *plugins: GuardPlugin, question: str = "Who?", **request: Any
) -> tuple[Done, MemoryJournal]:
    journal = MemoryJournal()
    run = StepRun(AgentRequest(question, parts=(TextPart(text=question),), **request), journal, id="r1", agent="demo/a")
    try:
        return await GuardedAgent(agent, plugins).run(run), journal
    finally:
        for each in plugins:
            each.close()


def text_of(journal: MemoryJournal) -> str:
    return "".join(event.text for event in journal.events if isinstance(event, Delta))


def failures(journal: MemoryJournal) -> list[tuple[str, str, str]]:
    return [(each.plugin, each.stage, each.kind) for each in journal.events if isinstance(each, PluginFailed)]


async def test_a_sentence_is_changed_before_any_of_it_is_emitted() -> None:
    agent = saying("Write to ida@", "example.com. She", " knows. A secret follows. ", "Bye", sources=[SOURCE])
    done, journal = await asked(agent, around(Redacting()))
    assert text_of(journal) == "Write to [mail]. She knows. Bye"
    assert next(each.text for each in journal.events if isinstance(each, Delta)) == "Write to [mail]."
    assert done.answer == "Write to [mail]. She knows. Bye"
    said = [each.citation for each in journal.events if isinstance(each, Delta) and each.citation]
    assert [each.quote for each in (*said, *done.sources)] == ["Ask [mail].", "Ask [mail]."]


async def test_a_source_is_shown_with_the_sentence_that_it_came_with() -> None:
    async def speak(run: Run) -> Done:
        async def say(emit: Emit) -> None:
            for text in ("One.", " Two.", " Three."):
                emit(Delta(text=text, citation=SOURCE.model_copy(update={"document": text.strip()})))

        await run.step("answer", say)
        return Done(answer="One. Two. Three.", finish="stop", sources=())

    _, journal = await asked(SpeakingAgent(speak), around(Redacting()))
    shown = [
        (each.text, each.citation.document) for each in journal.events if isinstance(each, Delta) and each.citation
    ]
    assert shown == [("One.", "One."), (" Two.", "Two."), (" Three.", "Three.")]


async def test_what_is_void_is_never_seen_and_messages_end_after_their_text() -> None:
    async def speak(run: Run) -> Done:
        async def say(emit: Emit) -> None:
            emit(Delta(text="An attempt that"))
            emit(Discarded(steps=("answer",), reason="Retried"))
            emit(Delta(text="Thinking of ida@example.com", channel="reasoning"))
            emit(Delta(text="One", message="m1"))
            emit(MessageEnd(message="m1"))
            emit(Artifact(id="a", name="a.txt", media_type="text/plain", text="Mail ida@example.com. Now."))

        await run.step("answer", say)
        return Done(answer="One", finish="stop", sources=())

    _, journal = await asked(SpeakingAgent(speak), around(Redacting()))
    assert [(each.type, getattr(each, "text", None)) for each in journal.events] == [
        ("discarded", None),
        ("delta", "Thinking of [mail]"),
        ("delta", "One"),
        ("message_end", None),
        ("artifact", "Mail [mail]. Now."),
    ]


async def test_the_agent_gets_the_question_and_the_conversation_as_plugins_leave_them() -> None:
    seen: list[AgentRequest] = []

    async def speak(run: Run) -> Done:
        seen.append(run.request)
        return Done(answer="", finish="stop", sources=())

    mail = "My address is ida@example.com"
    history = (
        Message(role="user", parts=(TextPart(text=mail),)),
        Message(role="assistant", parts=(TextPart(text=mail),)),
    )
    await asked(
        SpeakingAgent(speak),
        around(Redacting()),
        question="I am ida@example.com",
        turns=(FinishedTurn(mail, "Noted.", False),),
        history=history,
    )
    (request,) = seen
    assert request.question == "I am [mail]"
    assert [part.text for part in request.parts if isinstance(part, TextPart)] == ["I am [mail]"]
    assert request.turns[0].question == "My address is [mail]"
    assert [message.text for message in request.history] == ["My address is [mail]", mail]


async def test_a_refused_question_is_answered_with_the_refusal() -> None:
    done, journal = await asked(saying("Never said."), around(Redacting()), question="something forbidden")
    assert (done.answer, done.finish) == ("That is refused.", "content_filter")
    assert text_of(journal) == "That is refused."


async def test_the_first_plugin_sees_the_question_first_and_the_answer_last() -> None:
    class Named(Middleware):
        def __init__(self, name: str) -> None:
            self.name = name

        def before(self, question: str, context: AnswerContext) -> str:
            return f"{question}{self.name}"

        def after(self, text: str, context: AnswerContext) -> str:
            return f"{text}{self.name}"

    async def speak(run: Run) -> Done:
        async def say(emit: Emit) -> None:
            emit(Delta(text=run.request.question))

        await run.step("answer", say)
        return Done(answer=run.request.question, finish="stop", sources=())

    agent = SpeakingAgent(speak)
    done, journal = await asked(agent, around(Named("1"), name="a"), around(Named("2"), name="b"), question="Q")
    assert done.answer == text_of(journal) == "Q1221"


async def test_a_plugin_that_raises_is_left_out_and_the_answer_says_so_once() -> None:
    done, journal = await asked(saying("One. Two. Three."), around(Raising()))
    assert done.answer == text_of(journal) == "One. Two. Three."
    assert failures(journal) == [("pii", "before", "Raised"), ("pii", "after", "Raised")]


@pytest.mark.parametrize("log_content", [False, True])
async def test_what_a_plugin_raises_is_told_to_no_caller(caplog: pytest.LogCaptureFixture, log_content: bool) -> None:
    class Leaking(Middleware):
        def after(self, text: str, context: AnswerContext) -> str:
            raise ValueError(f"cannot redact {text}")

    caplog.set_level("DEBUG", "slipway_runtime")
    plugin = around(Leaking(), required=True)
    plugin.log_content = lambda: log_content
    journal = MemoryJournal()
    run = StepRun(AgentRequest("Who?"), journal, id="r1", agent="demo/a")
    with pytest.raises(Problem) as failed:
        await GuardedAgent(saying("Marker-4711."), [plugin]).run(run)
    plugin.close()
    assert "(Raised)" in failed.value.detail
    assert failures(journal) == [("pii", "after", "Raised")]
    assert "4711" not in f"{failed.value.detail} {journal.events} {plugin.problem()}"
    assert "ValueError in " in caplog.text
    assert ("4711" in caplog.text) is log_content
    assert all(each.levelname == "DEBUG" for each in caplog.records if "4711" in each.getMessage())


async def test_a_plugin_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_plugin, "MIDDLEWARE_SECONDS", 0.05)
    hanging = Hanging()
    done, journal = await asked(saying("One. Two. Three."), around(hanging))
    hanging.ends.set()
    assert done.answer == text_of(journal) == "One. Two. Three."
    assert failures(journal) == [("pii", "after", "TimedOut")]
    assert hanging.calls == 1


@pytest.mark.parametrize("stage", ["before", "after", "load"])
async def test_an_answer_fails_with_a_plugin_that_it_requires(stage: str) -> None:
    class After(Middleware):
        after = Raising.after

    if stage == "load":
        plugin = missing(required=True)
    else:
        plugin = around(Raising() if stage == "before" else After(), required=True)
    journal = MemoryJournal()
    run = StepRun(AgentRequest("Who?"), journal, id="r1", agent="demo/a")
    with pytest.raises(Problem, match="The plugin pii is required, and failed") as failed:
        await GuardedAgent(saying("One. Two."), [plugin]).run(run)
    assert failed.value.reason is Reason.PLUGIN_FAILED
    assert text_of(journal) == ""


async def test_a_plugin_that_is_not_there_is_told_of_and_done_without() -> None:
    done, journal = await asked(saying("One."), missing())
    assert done.answer == "One."
    assert failures(journal) == [("pii", "before", "NotLoaded")]
    agent = GuardedAgent(saying("One."), [missing()])
    assert await agent.missing() == []
    assert agent.plugin_problems() == ["the plugin pii: its code is not there"]


async def test_an_agent_is_not_ready_without_a_plugin_that_it_requires() -> None:
    agent = GuardedAgent(saying("One."), [missing(required=True)])
    assert await agent.missing() == ["the plugin pii: its code is not there"]


async def test_plugins_may_say_why_there_is_no_answer() -> None:
    async def speak(_: Run) -> Done:
        raise Problem(Reason.INDEX_NOT_READY, "Wait.")

    with pytest.raises(Problem, match="IndexNotReady: IndexNotReady for demo/a"):
        await asked(SpeakingAgent(speak), around(Redacting()))


async def test_structured_output_is_changed_text_by_text() -> None:
    async def speak(_: Run) -> Done:
        output = {"mail": "ida@example.com", "lines": ["a", "ida@example.com"], "count": 2}
        return Done(answer="{}", finish="stop", sources=(), output=output)

    done, _ = await asked(SpeakingAgent(speak), around(Redacting()))
    assert done.output == {"mail": "[mail]", "lines": ["a", "[mail]"], "count": 2}
    assert done.answer == '{"mail":"[mail]","lines":["a","[mail]"],"count":2}'


async def test_a_later_attempt_takes_what_plugins_said_in_the_first() -> None:
    calls: list[str] = []

    class Counting(Middleware):
        def before(self, question: str, context: AnswerContext) -> str:
            calls.append(question)
            return question.upper()

        def after(self, text: str, context: AnswerContext) -> str:
            calls.append(text)
            return f"{text}{len(calls)}"

    agent = saying("One.")
    done, journal = await asked(agent, around(Counting()))
    finished = {each.key: each for each in journal.entries if isinstance(each, StepRecord)}
    again = MemoryJournal()
    run = StepRun(
        AgentRequest("Who?", parts=(TextPart(text="Who?"),)), again, id="r1", agent="demo/a", replay=_replay(finished)
    )
    assert await GuardedAgent(agent, [around(Counting())]).run(run) == done
    assert calls == ["Who?", "One."]
    assert again.events == []


def _replay(finished: dict[str, StepRecord]) -> Replay:
    read = {
        key: StepRecord(each.key, each.state, each.never, each.input, orjson.loads(orjson.dumps(each.value)))
        for key, each in finished.items()
    }
    return Replay(finished=read)
