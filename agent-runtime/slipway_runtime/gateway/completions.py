"""`POST /v1/chat/completions`: an agent is a model. A client that leaves cancels its run."""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from opentelemetry.trace import SpanKind
from starlette.requests import Request

from slipway_runtime import retrying
from slipway_runtime.gateway.asgi import ClientGone, Receive, unless_gone
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.relay import AsItComes, AtTheEnd, EventSink, Relay, Reply
from slipway_runtime.gateway.requests import request_id
from slipway_runtime.gateway.resuming import MakeCall, give_results, run_that_waits
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.gateway.upstream import Broken, Refused, TooManyBroke, UpstreamRequest
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import openai_errors
from slipway_runtime.protocols.ask import LARGE_ASK_BYTES
from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.protocols.openai_answer import Completion, CompletionStream, WholeCompletion
from slipway_runtime.protocols.openai_request import CompletionRequest, parse_completion
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import incoming, outgoing, span

AUTO = "auto"
"""The model that is the agent of `gateway.smartAgent`."""
UNFOLLOWED_SECONDS = 60
"""After which a run is cancelled that nobody follows: a gateway that dies cannot cancel what its clients left."""
CANCEL_TRIES = 3
"""To cancel a run, which may not be stored yet."""
CANCEL_SECONDS = 20.0
log = logging.getLogger(__name__)


def agent_of(gateway: Gateway, model: str, caller: Caller) -> AgentKey:
    """The agent that a model's id names.

    Raises:
        Problem: `AgentNotFound`.
    """
    if model == AUTO:
        if gateway.smart_agent is None:
            raise Problem(
                Reason.AGENT_NOT_FOUND,
                "there is no smart agent for the model auto: set the chart value gateway.smartAgent to namespace/name, "
                "or name an agent",
            )
        agent = gateway.smart_agent
    else:
        try:
            agent = AgentKey.parse(model)
        except ValueError:
            raise no_such_model(model) from None
    if agent not in gateway.routes or not gateway.policy.allows(caller, Action.ASK, agent):
        raise no_such_model(model)
    return agent


def no_such_model(model: str) -> Problem:
    """There is no such agent for this caller."""
    return Problem(
        Reason.AGENT_NOT_FOUND,
        f"there is no model {model[:200]}: a model is an agent, named namespace/name; GET /v1/models lists them",
    )


@dataclass
class _Work:
    """One request that was understood."""

    asked: CompletionRequest
    agent: AgentKey
    caller: Caller
    run: str
    call: MakeCall


class Completions(HostedPath):
    """The path."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, openai_errors.answer)

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        with self._gateway.long_bodies.held() as held:
            body = await self._body(request, receive, caller=caller, limit=LARGE_ASK_BYTES, held=held)
            asked = parse_completion(body, request.headers)
            del body  # what is sent is as long
            agent = agent_of(self._gateway, asked.model, caller)
            run = request_id(request, owner=caller.owner, agent=agent)
            work = _Work(asked, agent, caller, run, partial(self._call, agent=agent, caller=caller))
            with self._measured(agent, reply), self._admitted():
                await self._worked(request, receive, reply, work)

    async def _worked(self, request: Request, receive: Receive, reply: Reply, work: _Work) -> None:
        try:
            await unless_gone(self._relay(request, reply, work), receive)
        except ClientGone:
            await self._cancel(work)
            raise

    async def _relay(self, request: Request, reply: Reply, work: _Work) -> None:
        with span(
            "gateway completion",
            parent=incoming(request.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.agent": str(work.agent)},
        ) as current:
            call = await self._resumed(work) or self._begun(work)
            current.set_attribute("slipway.run", work.run)
            stream, output = self._output(reply, work)
            relay = Relay(
                call=call,
                run=work.run,
                upstreams=self._gateway.upstreams,
                reply=reply,
                output=output,
                refusals_as_they_are=False,
            )
            await relay.go()
            if stream is not None and stream.restarted:
                await self._cancel(work)
            current.set_attribute("http.response.status_code", reply.status)

    async def _resumed(self, work: _Work) -> UpstreamRequest | None:
        """What follows the run that waits for these results; None if there is none."""
        run = run_that_waits(work.asked.results)
        if run is None:
            return None
        if not self._gateway.policy.allows(work.caller, Action.ANSWER, work.agent):
            raise no_such_model(work.asked.model)
        grant = self._gateway.nesting.mint(work.caller, agent=work.agent, run=run)
        after = await give_results(self._gateway.upstreams, work.call, run=run, given=work.asked.results, grant=grant)
        if after is None:
            return None
        work.run = run
        headers = {"Accept": EVENT_STREAM, "Last-Event-ID": after}
        outgoing(headers)
        return work.call("GET", f"/agents/{work.agent}/runs/{run}{_watch(work.asked)}", headers=headers, stream=True)

    def _begun(self, work: _Work) -> UpstreamRequest:
        """What begins a run from the messages."""
        headers = {"Accept": EVENT_STREAM, "Content-Type": "application/json", RUN_HEADER: work.run}
        outgoing(headers)
        grant = self._gateway.nesting.mint(work.caller, agent=work.agent, run=work.run)
        more = {"unfollowed_seconds": UNFOLLOWED_SECONDS, "grant": grant}
        body = work.asked.ask.model_copy(update=more).to_json()
        path = f"/agents/{work.agent}/runs{_watch(work.asked)}"
        return work.call("POST", path, headers=headers, body=body, stream=True)

    def _output(self, reply: Reply, work: _Work) -> tuple[CompletionStream | None, EventSink]:
        asked = work.asked
        completion = Completion(
            run_id=work.run,
            agent=str(work.agent),
            model=asked.model,
            structured=asked.ask.output_schema is not None,
        )
        if not asked.stream:
            return None, AtTheEnd(reply, WholeCompletion(completion))
        stream = CompletionStream(completion, include_usage=asked.include_usage, hold_text=asked.hold_text)
        return stream, AsItComes(reply, stream)

    async def _cancel(self, work: _Work) -> None:
        """Cancel a run whose client is gone. A host does it itself, later, if it cannot be reached now."""
        call = work.call("DELETE", f"/agents/{work.agent}/runs/{work.run}", headers={}, seconds=CANCEL_SECONDS)
        for tries in range(CANCEL_TRIES):
            if tries:
                await asyncio.sleep(retrying.delay(retrying.CANCEL, tries))
            try:
                async with asyncio.timeout(CANCEL_SECONDS), self._gateway.upstreams.open(call) as (response, _):
                    if response.status != 404:
                        return
            except (Problem, Refused, TooManyBroke, TimeoutError, *Broken) as error:
                log.warning(
                    "a run that its client left could not be cancelled",
                    extra={"agent": str(work.agent), "run": work.run, "cause": type(error).__name__},
                )
                return


def _watch(asked: CompletionRequest) -> str:
    return "" if asked.stream else "?watch=false"
