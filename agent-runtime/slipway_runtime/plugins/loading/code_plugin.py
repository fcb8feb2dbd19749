"""A plugin whose code is loaded, whatever it is written in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import FastAPI
from prometheus_client.registry import Collector

from slipway_crds.plugins.metadata import PluginMetadata
from slipway_runtime.plugin_api import AnswerContext, Middleware, PluginTool, Refuse, ToolFailed
from slipway_runtime.plugins.loading.failures import PluginCallFailed
from slipway_runtime.plugins.loading.isolation import Isolated
from slipway_runtime.plugins.loading.questions import AskedOfAgents

Stage = Literal["before", "after", "on_error"]
STAGES: tuple[Stage, ...] = ("before", "after", "on_error")
MIDDLEWARE_SECONDS = 5.0
"""For each call of a middleware."""
TOLD_CHARACTERS = 1000
"""Of what a tool tells its callers about a call that failed."""


@dataclass(frozen=True)
class CodePlugin:
    """What a plugin's code provides. `close` it in the end."""

    name: str
    isolated: Isolated
    tools: tuple[PluginTool, ...] = ()
    app: FastAPI | None = None
    """Its end points of HTTP; None if it has none."""
    middleware: Middleware | None = None
    stages: frozenset[Stage] = frozenset()
    """What the middleware does something in."""
    collectors: tuple[Collector, ...] = ()
    metadata: PluginMetadata | None = None
    """What it says of itself."""
    openapi: Mapping[str, Any] = field(default_factory=dict)
    """Extensions of the document: names that begin with `x-`."""

    async def call_tool(self, name: str, arguments: Mapping[str, Any], *, seconds: float) -> Any:
        """What a tool gives: JSON, or `AskedOfAgents`.

        Raises:
            KeyError: if there is no such tool.
            PluginCallFailed: if it raises, or takes too long. Of kind ToolFailed with a text for the caller.
        """
        tool = {each.name: each for each in self.tools}[name]
        return await self._called(tool.call, arguments, seconds=seconds)

    async def resume(self, questions: AskedOfAgents, answers: Sequence[Mapping[str, Any]], *, seconds: float) -> Any:
        """Go on with a call that asked agents. As `call_tool`, and raises the same."""
        return await self._called(questions.resume, answers, seconds=seconds)

    async def _called(self, function: Any, given: Any, *, seconds: float) -> Any:
        try:
            return await self.isolated.call(function, given, seconds=seconds)
        except PluginCallFailed as error:
            if isinstance(error.__cause__, ToolFailed):
                raise PluginCallFailed("ToolFailed", str(error.__cause__)[:TOLD_CHARACTERS]) from None
            raise

    async def before(self, question: str, context: AnswerContext) -> str | Refuse:
        """The question to be answered. Raises PluginCallFailed."""
        assert self.middleware is not None
        asked = await self._call(self.middleware.before, question, context)
        if isinstance(asked, Refuse):
            return asked
        return _text(asked, otherwise=question)

    async def after(self, text: str, context: AnswerContext) -> str:
        """What is said in place of a text. Raises PluginCallFailed."""
        assert self.middleware is not None
        return _text(await self._call(self.middleware.after, text, context), otherwise=text)

    async def on_error(self, reason: str, message: str, context: AnswerContext) -> str:
        """The message for the caller. Raises PluginCallFailed."""
        assert self.middleware is not None
        return _text(await self._call(self.middleware.on_error, reason, message, context), otherwise=message)

    async def _call(self, function: Any, *arguments: Any) -> Any:
        return await self.isolated.call(function, *arguments, seconds=MIDDLEWARE_SECONDS)

    def close(self) -> None:
        """End what it runs in."""
        self.isolated.close()


def stages_of(middleware: Middleware | None) -> frozenset[Stage]:
    """What a middleware overrides."""
    if middleware is None:
        return frozenset()
    return frozenset(stage for stage in STAGES if getattr(type(middleware), stage) is not getattr(Middleware, stage))


def _text(given: object, *, otherwise: str) -> str:
    if given is None:
        return otherwise
    if not isinstance(given, str):
        raise PluginCallFailed("InvalidResult", f"it returned {type(given).__name__}, and not a text")
    return given
