"""An agent with plugins around it: they see its questions first, and its answers before anybody else."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from slipway_runtime.agents.protocol import Agent, UsesModels, close
from slipway_runtime.events import Delta, Done
from slipway_runtime.plugin_api import AnswerContext, Refuse
from slipway_runtime.plugins.middleware.guard import Guard, GuardPlugin
from slipway_runtime.plugins.middleware.guarded_run import GuardedRun, texts_of
from slipway_runtime.plugins.middleware.speech import guarded, whole
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Emit, Run
from slipway_runtime.store.database import StoreUnavailable

log = logging.getLogger(__name__)
BEFORE, REFUSED, AFTER, FAILED = "plugins/before", "plugins/refused", "plugins/after", "plugins/on_error"
"""Keys of steps. No agent has steps of these names."""


class GuardedAgent:
    """See `Agent`."""

    def __init__(self, agent: Agent, plugins: Sequence[GuardPlugin]) -> None:
        self.agent = agent
        self.plugins = plugins

    @property
    def honours(self) -> frozenset[str]:
        """See `Agent`."""
        return self.agent.honours

    async def run(self, run: Run) -> Done:
        """See `Agent`.

        Raises:
            Problem: `PluginFailed` if a plugin that the agent requires fails.
        """
        await self._load()
        guard = Guard(self.plugins, AnswerContext(run.agent, run.id))
        try:
            asked = await self._before(run, guard)
            if isinstance(asked, Refuse):
                return await _refuse(run, asked)
            done = await self.agent.run(GuardedRun(run, guard, asked))
            return await _finish(run, guard, done)
        except StoreUnavailable:
            raise
        except Problem as problem:
            raise await _told(run, guard, problem) from problem
        except Exception as error:
            internal = Problem(Reason.INTERNAL_ERROR, "The agent failed. Its log has the reason.")
            told = await _told(run, guard, internal)
            if told is internal:
                raise
            log.exception("the agent failed", extra={"run": run.id})
            raise told from error

    async def missing(self) -> list[str]:
        """See `Agent`. An agent is not ready without a plugin that it requires."""
        await self._load()
        lacking = [each.problem() for each in self.plugins if each.broken and each.config.required]
        return [*filter(None, lacking), *await self.agent.missing()]

    def plugin_problems(self) -> list[str]:
        """A sentence for each plugin that is not there, or failed lately."""
        return [problem for each in self.plugins if (problem := each.problem())]

    async def model_problems(self) -> list[str]:
        """See `UsesModels`."""
        return await self.agent.model_problems() if isinstance(self.agent, UsesModels) else []

    async def close(self) -> None:
        """See `UsesModels`."""
        await close(self.agent)
        for each in self.plugins:
            each.close()

    async def _load(self) -> None:
        await asyncio.gather(*(each.ensure() for each in self.plugins))

    async def _before(self, run: Run, guard: Guard) -> Mapping[str, str] | Refuse:
        """What replaces the caller's texts."""
        if not guard.of("before") and not any(each.broken for each in self.plugins):
            return {}
        texts = texts_of(run.request)

        async def ask(emit: Emit) -> dict[str, Any]:
            guard.report_broken(emit)
            guard.check()
            found: dict[str, str] = {}
            for number, text in enumerate(texts):
                asked = await guard.before(text, emit)
                guard.check()
                if not isinstance(asked, Refuse):
                    found[text] = asked
                elif number == 0:
                    return {"refusal": asked.message}
                else:
                    found[text] = ""  # a former question that would be refused now is not repeated
            return {"texts": {text: other for text, other in found.items() if text != other}}

        recorded = await run.step(BEFORE, ask, input=texts)
        return Refuse(recorded["refusal"]) if "refusal" in recorded else recorded["texts"]


async def _refuse(run: Run, refusal: Refuse) -> Done:
    async def say(emit: Emit) -> None:
        emit(Delta(text=refusal.message))

    await run.step(REFUSED, say)
    return Done(answer=refusal.message, finish="content_filter", sources=())


async def _finish(run: Run, guard: Guard, done: Done) -> Done:
    """The whole answer, of texts as they were said."""
    if not guard.of("after"):
        return done

    async def look(emit: Emit) -> dict[str, Any]:
        output = await _guarded_output(done.output, guard, emit) if done.output is not None else None
        answer = orjson.dumps(output).decode() if output is not None else await whole(done.answer, guard, emit)
        sources = [(await guarded(each, guard, emit)).quote for each in done.sources]
        guard.check()
        return {"answer": answer, "output": output, "quotes": sources}

    said = await run.step(AFTER, look, input=done.answer)
    sources = tuple(
        source.model_copy(update={"quote": quote}) for source, quote in zip(done.sources, said["quotes"], strict=True)
    )
    update = {"answer": said["answer"], "sources": sources}
    return done.model_copy(update=update | ({"output": said["output"]} if said["output"] is not None else {}))


async def _guarded_output(value: Any, guard: Guard, emit: Emit) -> Any:
    if isinstance(value, str):
        return await whole(value, guard, emit)
    if isinstance(value, Mapping):
        return {name: await _guarded_output(child, guard, emit) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [await _guarded_output(child, guard, emit) for child in value]
    return value


async def _told(run: Run, guard: Guard, problem: Problem) -> Problem:
    """The problem with the message that plugins give it: the same one if they leave it."""
    if problem.reason is Reason.PLUGIN_FAILED or not guard.of("on_error"):
        return problem

    async def tell(emit: Emit) -> str:
        return await guard.on_error(problem.reason, problem.detail, emit)

    try:
        message = await run.step(FAILED, tell, input=[problem.reason, problem.detail])
    except Exception as error:  # noqa: BLE001 (the run ends with its own problem)
        log.warning("plugins were not called with an error: %s", error, extra={"run": run.id})
        return problem
    if message == problem.detail:
        return problem
    return Problem(problem.reason, message, retry_after=problem.retry_after)
