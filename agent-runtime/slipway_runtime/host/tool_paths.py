"""The paths of what an agent does without a run: search, a document, the web, the analysis of a task, and
the manifest of a workflow."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_runtime.agents.calling import MemberDescription
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.search_filters import Filters
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.run_paths import read_body
from slipway_runtime.identity import Caller
from slipway_runtime.knowledge.access import reading_for
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import HISTORY_BYTES, invalid
from slipway_runtime.protocols.bodies import read_json


class ToolBody(BaseModel):
    """Base of what is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


AnyBody = TypeVar("AnyBody", bound=ToolBody)


class SearchBody(ToolBody):
    """What is looked for."""

    query: str = Field(min_length=1)
    filters: Filters = Filters()


class DocumentBody(ToolBody):
    """Which document."""

    knowledge: str
    source: str
    document: str


class WebBody(ToolBody):
    """What is looked for."""

    query: str = Field(min_length=1)


class AnalysisBody(ToolBody):
    """What is to be decided, and between whom; an agent without members is on its own."""

    question: str = Field(min_length=1)
    context: str | dict[str, Any] | None = None
    members: tuple[MemberDescription, ...] = ()


class WorkflowBody(ToolBody):
    """What a workflow is to do, and which agents there are for its steps."""

    based_on: str | dict[str, Any] | list[Any]
    context: str | dict[str, Any] | None = None
    members: tuple[MemberDescription, ...] = ()


async def search(_: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Passages of the agent's documents."""
    body = await _read(request, SearchBody)
    with reading_for(caller.groups):
        return JSONResponse({"passages": await _tools(hosted).search(body.query, body.filters)})


async def document(_: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """A document of the agent's."""
    body = await _read(request, DocumentBody)
    with reading_for(caller.groups):
        return JSONResponse(await _tools(hosted).document(body.knowledge, body.source, body.document))


async def web_search(_: Host, hosted: HostedAgent, __: Caller, request: Request) -> Response:
    """Pages of the web."""
    body = await _read(request, WebBody)
    return JSONResponse({"results": await _tools(hosted).web_search(body.query)})


async def analysis(_: Host, hosted: HostedAgent, __: Caller, request: Request) -> Response:
    """Who would answer a question, and why."""
    body = await _read(request, AnalysisBody)
    return JSONResponse(dict(await _tools(hosted).analyze(body.question, body.context, body.members)))


async def workflow(_: Host, hosted: HostedAgent, __: Caller, request: Request) -> Response:
    """The manifest of a workflow, which nobody applies."""
    body = await _read(request, WorkflowBody)
    manifest = await _tools(hosted).create_workflow(body.based_on, body.context, body.members)
    return JSONResponse({"manifest": manifest, "text": yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)})


HANDLERS: dict[str, Callable[[Host, HostedAgent, Caller, Request], Awaitable[Response]]] = {
    "search": search,
    "document": document,
    "web-search": web_search,
    "analysis": analysis,
    "workflow": workflow,
}
"""By the last part of the path. All are POST and change nothing, so they may be sent again."""


def _tools(hosted: HostedAgent) -> DirectTools:
    if hosted.tools is None:
        raise Problem(Reason.NOT_FOUND, "This agent has no tools.")
    return hosted.tools


async def _read(request: Request, model: type[AnyBody]) -> AnyBody:
    raw: Any = read_json(await read_body(request, limit=HISTORY_BYTES), request.headers)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise invalid(error, "") from None
