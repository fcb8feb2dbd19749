"""A host over HTTP. Only the gateway's signed identity is believed; every error is a problem with a reason."""

import logging
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from slipway_crds import contract
from slipway_runtime.applications import new_application
from slipway_runtime.events import EventId, NumberedEvent
from slipway_runtime.host import metrics, receiver_paths, record_paths, run_paths, tool_paths, upload_paths
from slipway_runtime.host.event_response import EventResponse, WholeEventResponse
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.new_run import NewRun
from slipway_runtime.host.refusals import agent_not_found, draining, session_not_found, store_unavailable
from slipway_runtime.identity import HEADER as IDENTITY_HEADER
from slipway_runtime.identity import Caller, InvalidIdentity
from slipway_runtime.probes import readiness
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.ask import HISTORY_BYTES, LARGE_ASK_BYTES, SESSION_ID_PATTERN, read_ask
from slipway_runtime.protocols.asked import parse_wait
from slipway_runtime.protocols.headers import (
    NO_SESSION,
    RETIRING_HEADER,
    REVISION_HEADER,
    RUN_HEADER,
    SESSION_HEADER,
)
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.sessions import OtherRevision, Session, SessionNotFound
from slipway_runtime.telemetry.tracing import incoming, span

log = logging.getLogger(__name__)
SESSION_ID = re.compile(SESSION_ID_PATTERN)

Handler = Callable[[Host, HostedAgent, Caller, Request], Awaitable[Response]]


def create_host_app(host: Host) -> Starlette:
    """The host's HTTP interface. Its lifespan runs the host; mounted in another app, run `host.running()` there."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with host.running():
            yield

    return new_application([*_routes(host), *_probes(host)], handlers={500: _unexpected}, lifespan=lifespan)


def _probes(host: Host) -> Sequence[Route]:
    async def livez(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> Response:
        missing = await host.readiness.missing()
        return readiness(
            missing,
            warnings=host.readiness.warnings(),
            plugin_warnings=host.readiness.plugin_warnings(),
            answer_warnings=host.answers.problems(),
        )

    return (Route(contract.LIVEZ, livez), Route(contract.READYZ, readyz))


def _routes(host: Host) -> Sequence[Route]:
    """What gateways call."""
    agent = contract.AGENT_PATH
    return (
        Route(f"{agent}/runs", _guarded(host, "chat", _ask), methods=["POST"]),
        Route(f"{agent}/runs", _guarded(host, "runs", run_paths.list_all), methods=["GET"]),
        Route(f"{agent}/runs/{{run_id}}", _guarded(host, "run", _attach), methods=["GET"]),
        Route(f"{agent}/runs/{{run_id}}", _guarded(host, "run", run_paths.cancel), methods=["DELETE"]),
        Route(f"{agent}/runs/{{run_id}}/state", _guarded(host, "run", run_paths.state), methods=["GET"]),
        Route(f"{agent}/runs/{{run_id}}/record", _guarded(host, "run", record_paths.read), methods=["GET"]),
        *(
            Route(f"{agent}{path}", _guarded(host, "receivers", handler), methods=[method])
            for method, path, handler in (
                ("GET", "/runs/{run_id}/receivers", receiver_paths.list_all),
                ("PUT", "/runs/{run_id}/receivers/{receiver}", receiver_paths.put),
                ("DELETE", "/runs/{run_id}/receivers/{receiver}", receiver_paths.remove),
                ("POST", "/receivers/claim", receiver_paths.claim),
                ("POST", "/receivers/settle", receiver_paths.settle),
            )
        ),
        Route(f"{agent}/records", _guarded(host, "runs", record_paths.list_all), methods=["GET"]),
        Route(f"{agent}/runs/{{run_id}}/input/{{input_id}}", _guarded(host, "input", run_paths.give), methods=["POST"]),
        Route(
            f"{agent}/runs/{{run_id}}/input/{{input_id}}/grant",
            _guarded(host, "grant", run_paths.grant),
            methods=["GET"],
        ),
        Route(f"{agent}/sessions/{{session_id}}", _guarded(host, "session", _show_session), methods=["GET"]),
        Route(f"{agent}/sessions/{{session_id}}", _guarded(host, "session", _end_session), methods=["DELETE"]),
        *(
            Route(f"{agent}/indexes/{{index}}/documents{path}", _guarded(host, "documents", handler), methods=[method])
            for method, path, handler in (
                ("POST", "", upload_paths.upload),
                ("GET", "", upload_paths.list_all),
                ("GET", "/{document}", upload_paths.read),
                ("DELETE", "/{document}", upload_paths.remove),
            )
        ),
        *(
            Route(f"{agent}/{name}", _guarded(host, name, handler), methods=["POST"])
            for name, handler in tool_paths.HANDLERS.items()
        ),
    )


def _guarded(host: Host, name: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler within a span, for a known caller and a known agent, whose problems become responses."""

    async def endpoint(request: Request) -> Response:
        agent = f"{request.path_params['namespace']}/{request.path_params['name']}"
        attributes = {"slipway.agent": agent}
        parent = incoming(request.headers)
        with span(f"host {name}", parent=parent, kind=SpanKind.SERVER, attributes=attributes) as current:
            try:
                caller = _caller(host, request, agent)
                response = await handler(host, _hosted(host, agent), caller, request)
            except Problem as problem:
                response = problem.response()
            except ClientDisconnect:
                response = Response(status_code=499)  # for the span; nobody is left to read it
            except StoreUnavailable as error:
                host.runs.heartbeat.disturbed(error)
                response = store_unavailable().response()
            current.set_attribute("http.response.status_code", response.status_code)
            return response

    return endpoint


def _caller(host: Host, request: Request, agent: str) -> Caller:
    token = request.headers.get(IDENTITY_HEADER)
    if not token:
        _count_refused(request, "no token")
        raise Problem(Reason.UNAUTHENTICATED, "Agents answer only through the gateway: send the request there.")
    try:
        return host.verifier.verify(token, agent)
    except InvalidIdentity as error:
        _count_refused(request, "invalid token")
        raise Problem(Reason.UNAUTHENTICATED, f"{error}. Send the request through the gateway.") from None


def _count_refused(request: Request, cause: str) -> None:
    metrics.UNAUTHENTICATED.labels(cause).inc()
    remote = request.client.host if request.client else "an unknown address"
    log.warning("a request from %s was refused: %s", remote, cause, extra={"remote": remote, "cause": cause})


def _hosted(host: Host, agent: str) -> HostedAgent:
    hosted = host.runs.agents.get(agent)
    if hosted is None:
        raise agent_not_found(agent)
    return hosted


async def _ask(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    if host.runs.draining:
        raise draining()
    run_id = request.headers.get(RUN_HEADER) or uuid.uuid4().hex
    if not run_paths.RUN_ID.fullmatch(run_id):
        raise Problem(Reason.INVALID_REQUEST, f"{RUN_HEADER} must be 32 hexadecimal digits.")
    asked = read_ask(await run_paths.read_body(request, limit=_ask_bytes(hosted)))
    asked.require_only("text", "session", "grant", *hosted.agent.honours)
    after = sse.last_event_id(request, run_id)  # refused before the question is kept
    wait = parse_wait(request.query_params.get("wait"))
    keeps_session = asked.history is None and request.headers.get(SESSION_HEADER) != NO_SESSION
    asked = asked.model_copy(update={"groups": caller.groups or None})  # as the identity has them, and nothing else
    new = NewRun(run_id, caller.owner, asked, keeps_session=keeps_session, wait=wait, retiring=_retiring(request))
    try:
        await host.runs.begin(hosted, new)
    except OtherRevision as other:
        return Response(status_code=421, headers={REVISION_HEADER: other.revision})
    return _events(host, hosted, caller, request, run_id, after=after)


def _retiring(request: Request) -> frozenset[str]:
    names = request.headers.get(RETIRING_HEADER)
    return frozenset(names.split(",")) if names else frozenset()


def _ask_bytes(hosted: HostedAgent) -> int:
    return LARGE_ASK_BYTES if "image" in hosted.agent.honours else HISTORY_BYTES


async def _attach(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    run_id = run_paths.run_of(request)
    events = await host.runs.events(run_id, agent=hosted.key, caller=caller.owner)
    after = sse.last_event_id(request, run_id)
    sse.known(after, events)
    if sse.is_over(after, events):  # an EventSource connects again after every end, but not after a 204
        return Response(status_code=204, headers={RUN_HEADER: run_id, **sse.HEADERS})
    return _events(host, hosted, caller, request, run_id, after=after)


def _events(
    host: Host, hosted: HostedAgent, caller: Caller, request: Request, run_id: str, *, after: EventId | None
) -> Response:
    """A run's events from where the gateway wants them. With `?watch=false` what counts is how they end."""
    watch = request.query_params.get("watch") != "false"
    events = host.runs.follow(run_id, agent=hosted.key, caller=caller.owner, after=after, watch=watch)
    frames = (sse.stream if watch else sse.in_one)(_until_problem(events))
    response = EventResponse if watch else WholeEventResponse
    return response(frames, media_type=sse.MEDIA_TYPE, headers={RUN_HEADER: run_id, **sse.HEADERS})


async def _until_problem(events: AsyncGenerator[NumberedEvent]) -> AsyncGenerator[NumberedEvent]:
    """Events; a problem ends them. A stream that ends without a last event is one to resume, here or elsewhere."""
    try:
        async for event in events:
            yield event
    except Problem:
        return
    finally:
        await events.aclose()


async def _show_session(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    session_id = _session_id(request)
    try:
        session = await host.runs.sessions_of(hosted).read(session_id, agent=hosted.key, caller=caller.owner)
    except SessionNotFound:
        raise session_not_found() from None
    return JSONResponse(_session_json(session))


async def _end_session(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    try:
        await host.runs.sessions_of(hosted).delete(_session_id(request), agent=hosted.key, caller=caller.owner)
    except SessionNotFound:
        raise session_not_found() from None
    return Response(status_code=204)


def _session_id(request: Request) -> str:
    session_id: str = request.path_params["session_id"]
    if not SESSION_ID.match(session_id):
        raise session_not_found()
    return session_id


def _session_json(session: Session) -> dict[str, object]:
    return {
        "session_id": session.id,
        "agent": session.agent,
        "created": session.created,
        "expires": session.expires,
        "turns": [
            {
                "run_id": turn.run_id,
                "question": turn.question,
                "created": turn.created,
                "outcome": turn.outcome or ("waiting" if turn.waits else "running"),
                "answer": (turn.result or {}).get("answer"),
                "abstained": turn.abstained,
                "sources": (turn.result or {}).get("sources", []),
            }
            for turn in session.turns
        ],
    }


async def _unexpected(_: Request, __: Exception) -> Response:
    return Problem(Reason.INTERNAL_ERROR, "The host failed. Its log has the cause. Ask again.").response()
