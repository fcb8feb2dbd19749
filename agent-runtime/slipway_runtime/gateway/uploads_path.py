"""The paths of documents that people upload. Hosts of agents that read the index answer them, and decide who may."""

import re
from dataclasses import replace
from urllib.parse import quote, urlencode

from opentelemetry.trace import SpanKind
from starlette.requests import Request

from slipway_runtime.gateway.asgi import BODY_LIMIT, Receive, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath, upstream_request
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.gateway.upstream import UpstreamRequest
from slipway_runtime.gateway.workflows.relay import WorkerRelay
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import skin
from slipway_runtime.protocols.uploads import FORM_BYTES
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

SECONDS = 60.0
FORM = re.compile(r"multipart/form-data; ?boundary=\"?[\w'()+,./:=? -]{1,70}\"?", re.ASCII | re.IGNORECASE)
DOCUMENT = re.compile("[0-9a-f]{32}")
AFTER_CHARACTERS = 255


class UploadsPath(HostedPath):
    """The answer to a request about an index's uploads, as it comes from a host."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, _problem)

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        namespace, index = request.path_params["namespace"], request.path_params["index"]
        agent = self._reader(namespace, index)
        path = _path(request, agent, index)
        content_type = _form_type(request) if request.method == "POST" else ""
        with self._measured(agent, reply), self._gateway.long_bodies.held() as held:
            limit = FORM_BYTES if request.method == "POST" else BODY_LIMIT
            body = await self._body(request, receive, caller=caller, limit=limit, held=held)
            sent = self._upstream(request.method, agent, caller, path, body, content_type)
            with self._admitted():
                await unless_gone(self._relay(request, sent, reply), receive)

    def _reader(self, namespace: str, index: str) -> AgentKey:
        """An agent that reads the index, one with pods if there is any. Raises Problem."""
        routes = self._gateway.routes
        readers = [
            (pods > 0, agent)
            for agent, pods in routes.agents().items()
            if agent.namespace == namespace and index in routes.description(agent).knowledge
        ]
        if not readers:
            raise no_such_index()
        return max(readers)[1]

    def _upstream(
        self, method: str, agent: AgentKey, caller: Caller, path: str, body: bytes, content_type: str
    ) -> UpstreamRequest:
        headers = {"Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        outgoing(headers)
        sent = upstream_request(
            self._gateway,
            method,
            path,
            agent=agent,
            caller=caller,
            headers=headers,
            body=body or None,
            seconds=SECONDS,
        )
        return replace(sent, success=(200, 202))

    async def _relay(self, request: Request, upstream: UpstreamRequest, reply: Reply) -> None:
        """To ask the next pod is safe: a document replaces the one of its name."""
        attributes = {"slipway.agent": str(upstream.agent)}
        parent = incoming(request.headers)
        with span("gateway documents", parent=parent, kind=SpanKind.SERVER, attributes=attributes) as current:
            await WorkerRelay(self._gateway.upstreams, upstream, reply).go()
            current.set_attribute("http.response.status_code", reply.status)


def _path(request: Request, agent: AgentKey, index: str) -> str:
    """The path at the host, put together anew. Raises Problem."""
    parts = ["agents", agent.namespace, agent.name, "indexes", index, "documents"]
    document = request.path_params.get("document")
    if document is not None:
        if not DOCUMENT.fullmatch(document):
            raise Problem(Reason.NOT_FOUND, "there is no such document: GET .../documents lists what there is")
        parts.append(document)
    after = request.query_params.get("after", "")[:AFTER_CHARACTERS]
    return "/" + "/".join(quote(part, safe="") for part in parts) + (f"?{urlencode({'after': after})}" if after else "")


def _form_type(request: Request) -> str:
    found = request.headers.get("content-type", "")
    if not FORM.fullmatch(found):
        raise Problem(
            Reason.INVALID_REQUEST, "a document comes as multipart/form-data with a field `file` and its boundary"
        )
    return found


def no_such_index() -> Problem:
    """There is no such index for this caller."""
    return Problem(
        Reason.NOT_FOUND,
        "There is no such index that takes documents of yours: see spec.uploads of the VectorIndex, and whether it is "
        "Ready and read by an agent.",
    )


def _problem(problem: Problem) -> skin.Answer:
    return skin.Answer(problem.status, problem.headers(), problem.body())
