"""A plugin in WebAssembly: what its module says that it has, and calls of it."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from slipway_crds.plugins.metadata import PluginMetadata, checked
from slipway_runtime.plugin_api import AnswerContext, Middleware, PluginTool, Refuse, ToolFailed
from slipway_runtime.plugins.loading.code import PluginCode
from slipway_runtime.plugins.loading.code_plugin import CodePlugin, Stage
from slipway_runtime.plugins.loading.failures import PluginBroken, PluginCallFailed
from slipway_runtime.plugins.loading.http_app import http_app
from slipway_runtime.plugins.loading.isolation import Isolated
from slipway_runtime.plugins.loading.questions import QUESTIONS_AT_ONCE, AgentQuestion, AskedOfAgents
from slipway_runtime.plugins.wasm_plugins.endpoints import WasmEndpoint, router_of
from slipway_runtime.plugins.wasm_plugins.module import WasmModule

_QUESTIONS = TypeAdapter(Annotated[tuple[AgentQuestion, ...], Field(min_length=1, max_length=QUESTIONS_AT_ONCE)])


class WasmTool(BaseModel):
    """A tool, as a module describes it."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    description: str = Field(default="", max_length=4096)
    input_schema: dict[str, Any] = {"type": "object", "properties": {}}
    read_only: bool = False


class WasmDescription(BaseModel):
    """What a module says that it has."""

    tools: list[WasmTool] = Field(default=[], max_length=100)
    endpoints: list[WasmEndpoint] = Field(default=[], max_length=100)
    middleware: list[Stage] = []
    openapi: dict[str, Any] = {}
    metadata: PluginMetadata | None = None

    @field_validator("metadata")
    @classmethod
    def _checked(cls, given: PluginMetadata | None) -> PluginMetadata | None:
        return checked(given) if given else None


def wasm_plugin(code: PluginCode, content: bytes) -> CodePlugin:
    """Compile a plugin, and let it say what it has.

    Raises:
        PluginBroken: if it cannot.
    """
    module = WasmModule(content, code.limits)
    ask = partial(_asked, module, dict(code.config))
    try:
        described = WasmDescription.model_validate(ask("describe"))
    except PluginCallFailed as error:
        raise PluginBroken(f"asked what it has, it failed: {error}") from None
    except ValidationError as error:
        raise PluginBroken(f"asked what it has, it gave something else: {error.errors()[0]['msg']}") from None
    stages, isolated = frozenset(described.middleware), Isolated(code.plugin)
    return CodePlugin(
        name=code.plugin,
        isolated=isolated,
        app=_app(code, described, router_of(described.endpoints, ask, isolated, seconds=code.limits.seconds)),
        tools=tuple(
            PluginTool(
                each.name,
                each.description or each.name,
                each.input_schema,
                partial(_tool_result, ask, each.name),
                each.read_only,
            )
            for each in described.tools
        ),
        middleware=WasmMiddleware(ask) if stages else None,
        stages=stages,
        metadata=described.metadata,
        openapi=_extensions(described),
    )


def _app(code: PluginCode, described: WasmDescription, router: APIRouter) -> FastAPI | None:
    """Raises PluginBroken."""
    if not described.endpoints:
        return None
    version = described.metadata.version if described.metadata else ""
    return http_app(code.plugin, [router], _extensions(described), version=version)


def _extensions(described: WasmDescription) -> dict[str, Any]:
    own = described.metadata.openapi_extensions if described.metadata else None
    return {**(own or {}), **described.openapi}


def _asked(module: WasmModule, config: Mapping[str, Any], call: str, **given: Any) -> Mapping[str, Any]:
    """The object that a module gives. Raises PluginCallFailed."""
    result = module.call({"call": call, "config": config, **given})
    if not isinstance(result, dict):
        raise PluginCallFailed("InvalidResult", "it gave no JSON object")
    return result


def _tool_result(ask: Any, name: str, arguments: Mapping[str, Any], **more: Any) -> Any:
    result = ask("tool", name=name, arguments=arguments, **more)
    if "error" in result:
        raise ToolFailed(str(result["error"]))
    if "ask" not in result:
        return result.get("result")
    try:
        asked = _QUESTIONS.validate_python(result["ask"])
    except ValidationError as error:
        raise PluginCallFailed("InvalidResult", f"its questions cannot be read: {error.errors()[0]['msg']}") from None
    state = result.get("state")
    return AskedOfAgents(asked, lambda answers: _tool_result(ask, name, arguments, answers=answers, state=state))


class WasmMiddleware(Middleware):
    """The middleware of a module. A field that its result does not have leaves things as they are."""

    def __init__(self, ask: Any) -> None:
        self._ask = ask

    def before(self, question: str, context: AnswerContext) -> str | Refuse | None:
        """See `Middleware`."""
        result = self._ask("before", question=question, context=vars(context))
        if (refusal := result.get("refuse")) is not None:
            return Refuse(str(refusal))
        return result.get("question")  # type: ignore[no-any-return]

    def after(self, text: str, context: AnswerContext) -> str | None:
        """See `Middleware`."""
        return self._ask("after", text=text, context=vars(context)).get("text")  # type: ignore[no-any-return]

    def on_error(self, reason: str, message: str, context: AnswerContext) -> str | None:
        """See `Middleware`."""
        result = self._ask("on_error", reason=reason, message=message, context=vars(context))
        return result.get("message")  # type: ignore[no-any-return]
