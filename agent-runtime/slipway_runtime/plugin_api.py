"""What a plugin of type `python` is written with: this module, and nothing else of Slipway.

    from slipway_runtime.plugin_api import Middleware, hookimpl, tool

    @tool(read_only=True)
    def count_words(text: str) -> int:
        \"\"\"Count the words of a text.\"\"\"
        return len(text.split())

    class Signature(Middleware):
        async def after(self, text, context):
            return text.replace("Kind regards", "Your support team")

    @hookimpl
    def slipway_tools(config):
        return [count_words]

    @hookimpl
    def slipway_middleware(config):
        return Signature()

A module has the hooks that it needs and leaves out the others. `config` is `spec.config` of the Plugin. Tools and HTTP
endpoints run in the Plugin's own pod; middleware runs in the pods of the agents that name the Plugin in `spec.plugins`.
The code has the rights of the process that it runs in, so it has to be code that you trust. A loop that does not end
holds the interpreter and a thread until the pod goes: while three calls are over their time, the plugin is left out.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import cleandoc
from typing import Any, overload

import pluggy
from fastapi import APIRouter
from prometheus_client.registry import Collector
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from slipway_crds.plugins.metadata import PluginMetadata

__all__ = [
    "AnswerContext", "Config", "Middleware", "PluginMetadata", "PluginTool", "Refuse", "ToolFailed", "hookimpl",
    "tool",
]  # fmt: skip

PROJECT = "slipway"
ENTRY_POINTS = "slipway.plugins"
"""Group of a wheel's entry points, each of which is a module or an object with hooks."""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks the hooks of a plugin."""
Config = Mapping[str, Any]


class ToolFailed(Exception):
    """What a tool raises to tell its caller, or a model, why there is no result: up to 1,000 characters.

    Of any other exception callers get to know the kind `Raised` and the plugin's name. Its text may quote what the tool
    was given, so it is in no answer and in no log.
    """


@dataclass(frozen=True)
class PluginTool:
    """A tool that callers and models call."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    """JSON Schema, of type object, of the arguments."""
    call: Callable[[Mapping[str, Any]], Any]
    """Gets the arguments. Returns JSON or an awaitable of it. It raises `ToolFailed` for what callers are told."""
    read_only: bool = False
    """Whether it changes nothing, so that a call may be made again."""


@overload
def tool(function: Callable[..., Any], /) -> PluginTool: ...
@overload
def tool(*, name: str = "", read_only: bool = False) -> Callable[[Callable[..., Any]], PluginTool]: ...
def tool(
    function: Callable[..., Any] | None = None, /, *, name: str = "", read_only: bool = False
) -> PluginTool | Callable[[Callable[..., Any]], PluginTool]:
    """A function as a tool. Its docstring is the description, and its annotations are the schema of the arguments.

    Args:
        function: may be a coroutine function. Its arguments are checked before it is called.
        name: the function's own if not given.
        read_only: see `PluginTool`.
    """

    def made(function: Callable[..., Any]) -> PluginTool:
        @wraps(function)
        def apart(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except ValidationError as error:  # of its own doing, and not about the arguments
                raise RuntimeError("validation failed inside the tool") from error

        adapter: TypeAdapter[Any] = TypeAdapter(apart)  # type: ignore[arg-type]  # it takes functions too

        def call(arguments: Mapping[str, Any]) -> Any:
            try:
                return adapter.validate_python(ArgsKwargs((), dict(arguments)))
            except ValidationError as error:
                raise ToolFailed(f"the arguments do not fit: {_mistakes(error)}") from None

        description = cleandoc(function.__doc__ or function.__name__)
        return PluginTool(name or function.__name__, description, adapter.json_schema(), call, read_only)

    return made if function is None else made(function)


def _mistakes(error: ValidationError) -> str:
    found = error.errors(include_input=False, include_url=False, include_context=False)[:10]
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)


@dataclass(frozen=True)
class AnswerContext:
    """The answer that a middleware is asked about."""

    agent: str
    """`namespace/name`."""
    run: str
    """The same in every attempt at the answer."""


@dataclass(frozen=True)
class Refuse:
    """What `before` returns for a question that is not to be answered."""

    message: str
    """Said to the caller in place of an answer."""


class Middleware:
    """What happens around an answer. Override what you need; each may be a coroutine function or an ordinary one.

    Each call has five seconds. A middleware that raises or takes longer is left out, and the answer says so, or fails
    if the agent requires the plugin.
    """

    def before(self, question: str, context: AnswerContext) -> "str | Refuse | Awaitable[str | Refuse | None] | None":
        """A question, and each former one of the conversation, before the agent sees it.

        Returns the question in other words, None to leave it as it is, or a `Refuse`.
        """
        return None

    def after(self, text: str, context: AnswerContext) -> "str | Awaitable[str | None] | None":
        """A sentence of the answer, or a quoted one, before it is stored and before anybody sees it.

        Returns what is said in its place, None to leave it as it is, or an empty text to leave it out.
        """
        return None

    def on_error(self, reason: str, message: str, context: AnswerContext) -> "str | Awaitable[str | None] | None":
        """There will be no answer, for a reason of the table of errors.

        Returns another message for the caller, or None to leave it as it is.
        """
        return None


class Hooks:
    """What a plugin may have, each once."""

    @hookspec(firstresult=True)
    def slipway_metadata(self) -> PluginMetadata:
        """What it is: name, version, description, author, the plugins that it needs, and OpenAPI extensions."""
        raise NotImplementedError

    @hookspec
    def slipway_tools(self, config: Config) -> Iterable[PluginTool]:
        """Its tools."""
        raise NotImplementedError

    @hookspec
    def slipway_router(self, config: Config) -> APIRouter:
        """Its HTTP endpoints, below `/plugins/{namespace}/{name}`. `openapi_extra` of each goes into the document."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    def slipway_middleware(self, config: Config) -> Middleware:
        """What it does around the answers of agents that name it in `spec.plugins`."""
        raise NotImplementedError

    @hookspec
    def slipway_metrics(self, config: Config) -> Iterable[Collector]:
        """Collectors of prometheus_client, which the pod's metrics port serves."""
        raise NotImplementedError

    @hookspec
    def slipway_openapi(self, config: Config) -> Mapping[str, Any]:
        """Extensions of the OpenAPI document: names that begin with `x-`."""
        raise NotImplementedError
