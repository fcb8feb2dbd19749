"""The plugins around one answer: what they make of its texts, and what becomes of those that fail."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from prometheus_client import Counter

from slipway_crds.runtimeconfig import MiddlewareConfig
from slipway_runtime.events import PluginFailed
from slipway_runtime.plugin_api import AnswerContext, Refuse
from slipway_runtime.plugins.loading.code_plugin import CodePlugin, Stage
from slipway_runtime.plugins.loading.failures import PluginBroken, PluginCallFailed, for_callers, for_log, told
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Emit

log = logging.getLogger(__name__)
FAILURES = Counter(
    "slipway_plugin_failures", "Calls of plugins around answers that failed", ["agent", "plugin", "stage", "kind"]
)
REMEMBERED_SECONDS = 600.0
"""How long a failed call is reported with the agent."""
RETRY_SECONDS = 10.0
"""Between two tries to load a plugin, whose code may come later."""
TEXTS_KEPT = 10_000


@dataclass
class GuardPlugin:
    """An entry of `spec.plugins`.

    Args:
        load: makes the plugin, or raises PluginBroken. Asked again now and then until there is one.
        log_content: whether the log may have texts of exceptions, at level DEBUG, which may quote the answer.
    """

    config: MiddlewareConfig
    load: Callable[[], Awaitable[CodePlugin]]
    log_content: Callable[[], bool] = lambda: False
    plugin: CodePlugin | None = None
    broken: str = ""
    """Why there is none."""
    _tried: float = float("-inf")
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _failed: tuple[float, str] | None = None

    async def ensure(self) -> None:
        """Load it, if that has not been done or is worth another try."""
        async with self._loading:
            if self.plugin is not None or time.monotonic() - self._tried < RETRY_SECONDS:
                return
            try:
                self.plugin, self.broken = await self.load(), ""
            except PluginBroken as error:
                self.broken = str(error)
            finally:
                self._tried = time.monotonic()

    def close(self) -> None:
        """End it."""
        if self.plugin is not None:
            self.plugin.close()

    def does(self, stage: Stage) -> bool:
        """Whether it has anything to do there."""
        return self.plugin is not None and stage in self.plugin.stages

    @property
    def name(self) -> str:
        """What events and messages call it."""
        return self.config.name

    def failed(self, stage: Stage, kind: str) -> None:
        """A call of it failed."""
        self._failed = time.monotonic(), f"{stage}: {kind}"

    def problem(self) -> str | None:
        """What is wrong with it, as a sentence for `/readyz`."""
        if self.broken:
            return f"the plugin {self.name}: {self.broken}"
        if self._failed is not None and time.monotonic() - self._failed[0] < REMEMBERED_SECONDS:
            return f"the plugin {self.name} failed within the last ten minutes ({self._failed[1]})"
        return None


@dataclass
class Guard:
    """The plugins around one attempt at an answer."""

    plugins: Sequence[GuardPlugin]
    context: AnswerContext
    fatal: Problem | None = None
    """What the answer fails with: a plugin that it requires has failed."""
    _out: set[str] = field(default_factory=set)
    """Those that took too long once: they are not waited for again."""
    _reported: set[tuple[str, Stage]] = field(default_factory=set)
    _said: dict[str, str] = field(default_factory=dict)

    def of(self, stage: Stage) -> list[GuardPlugin]:
        """Those with something to do there, in their order."""
        return [each for each in self.plugins if each.does(stage)]

    def report_broken(self, emit: Emit) -> None:
        """Say which plugins are not there."""
        for each in self.plugins:
            if each.broken:
                self._fail(each, "before", "NotLoaded", f"NotLoaded: {each.broken}", emit)

    async def before(self, text: str, emit: Emit) -> str | Refuse:
        """The question as the agent gets it."""
        for each in self._usable("before"):
            assert each.plugin is not None
            try:
                asked = await each.plugin.before(text, self.context)
            except PluginCallFailed as error:
                self._failed(each, "before", error, emit)
                continue
            if isinstance(asked, Refuse):
                return asked
            text = asked
        return text

    async def after(self, text: str, emit: Emit) -> str:
        """A sentence as it is said: without what is around it. The plugin that saw the question first is the last."""
        core = text.strip()
        if not core or self.fatal is not None:
            return "" if self.fatal is not None else text
        if core not in self._said:
            if len(self._said) > TEXTS_KEPT:
                self._said.clear()
            self._said[core] = await self._after(core, emit)
        said = self._said[core]
        start = text.index(core)
        return text[:start] + said + text[start + len(core) :] if said else ""

    async def _after(self, text: str, emit: Emit) -> str:
        for each in reversed(self._usable("after")):
            assert each.plugin is not None
            if not text:
                break
            try:
                text = await each.plugin.after(text, self.context)
            except PluginCallFailed as error:
                self._failed(each, "after", error, emit)
        return "" if self.fatal is not None else text

    async def on_error(self, reason: str, message: str, emit: Emit) -> str:
        """The message that the caller gets."""
        for each in self._usable("on_error"):
            assert each.plugin is not None
            try:
                message = await each.plugin.on_error(reason, message, self.context)
            except PluginCallFailed as error:
                self._failed(each, "on_error", error, emit)
        return message

    def check(self) -> None:
        """Raise Problem (PluginFailed) if a required plugin has failed."""
        if self.fatal is not None:
            raise self.fatal

    def _usable(self, stage: Stage) -> list[GuardPlugin]:
        return [each for each in self.of(stage) if each.name not in self._out]

    def _failed(self, plugin: GuardPlugin, stage: Stage, error: PluginCallFailed, emit: Emit) -> None:
        if error.kind == "TimedOut":
            self._out.add(plugin.name)
        plugin.failed(stage, error.kind)
        self._fail(plugin, stage, error.kind, for_log(error), emit)
        if plugin.log_content() and error.__cause__ is not None:
            log.debug("the plugin %s raised %s", plugin.name, told(error.__cause__), extra={"run": self.context.run})

    def _fail(self, plugin: GuardPlugin, stage: Stage, kind: str, why: str, emit: Emit) -> None:
        """Callers get to know the kind alone: the reason, which is for the log, may have words of the plugin."""
        FAILURES.labels(self.context.agent, plugin.name, stage, kind).inc()
        if (plugin.name, stage) not in self._reported:
            self._reported.add((plugin.name, stage))
            log.warning("the plugin %s failed: %s", plugin.name, why, extra={"run": self.context.run})
            emit(PluginFailed(plugin=plugin.name, stage=stage, kind=kind, message=for_callers(plugin.name, kind)))
        if plugin.config.required and self.fatal is None:
            self.fatal = Problem(
                Reason.PLUGIN_FAILED,
                f"The plugin {plugin.name} is required, and failed ({kind}). The log of the agent's pod says more.",
            )
