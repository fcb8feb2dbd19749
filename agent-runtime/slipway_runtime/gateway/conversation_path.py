"""The paths whose clients keep the conversation themselves.

Such a client sends all of it with each request, and cancels its run by leaving. Its next request may be what the run
waits for: then that run goes on.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from opentelemetry.trace import SpanKind
from starlette.requests import Request

from slipway_runtime.gateway.asgi import ClientGone, Receive, unless_gone
from slipway_runtime.gateway.hosted_path import HostedPath
from slipway_runtime.gateway.leaving import CANCEL_SECONDS, UNFOLLOWED_SECONDS, cancel
from slipway_runtime.gateway.permissions import Action, require
from slipway_runtime.gateway.relay import AsItComes, AtTheEnd, Relay, Reply
from slipway_runtime.gateway.resuming import MakeCall, resume
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.gateway.upstream import UpstreamRequest
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import LARGE_ASK_BYTES, Ask
from slipway_runtime.protocols.given import Given
from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.protocols.skin import AnswerRenderer, StreamRenderer
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import incoming, outgoing, span


class ConversationRequest(Protocol):
    """A request that was understood."""

    @property
    def asks(self) -> Sequence[Ask]:
        """What begins a run: the first one, or the next one where there is no session of the one before."""
        ...

    @property
    def given(self) -> Given | None:
        """What it gives a run that waits."""
        ...

    @property
    def stream(self) -> bool:
        """Whether the client wants the answer as it comes."""
        ...

    def as_it_comes(self, run: str) -> StreamRenderer:
        """For a client that does."""
        ...

    def at_the_end(self, run: str) -> AnswerRenderer:
        """For one that does not."""
        ...


@dataclass
class ConversationWork:
    """A request, and who does it."""

    asked: ConversationRequest
    agent: AgentKey
    caller: Caller
    run: str
    call: MakeCall

    @property
    def watch(self) -> str:
        """The query with which a host is asked for the run's events."""
        return "" if self.asked.stream else "?watch=false"


class ConversationPath(HostedPath):
    """See the module."""

    span_name = "gateway conversation"

    @abstractmethod
    def _understood(self, request: Request, body: bytes, caller: Caller) -> tuple[AgentKey, str, ConversationRequest]:
        """The agent that is asked, the id of the run that begins, and what is asked. Raises Problem."""

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        with self._gateway.long_bodies.held() as held:
            body = await self._body(request, receive, caller=caller, limit=LARGE_ASK_BYTES, held=held)
            agent, run, asked = self._understood(request, body, caller)
            del body  # what is sent is as long
            work = ConversationWork(asked, agent, caller, run, partial(self._call, agent=agent, caller=caller))
            with self._measured(agent, reply), self._admitted():
                await self._worked(request, receive, reply, work)

    async def _worked(self, request: Request, receive: Receive, reply: Reply, work: ConversationWork) -> None:
        try:
            await unless_gone(self._relay(request, reply, work), receive)
        except ClientGone:
            if not reply.ended:
                await self._cancel(work)
            raise

    async def _relay(self, request: Request, reply: Reply, work: ConversationWork) -> None:
        with span(
            self.span_name,
            parent=incoming(request.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.agent": str(work.agent)},
        ) as current:
            if (resumed := await self._resumed(work)) is not None:
                cancels = await self._follow(reply, work, resumed)
            else:
                cancels = await self._begin(reply, work)
            current.set_attribute("slipway.run", work.run)
            if cancels:
                await self._cancel(work)
            current.set_attribute("http.response.status_code", reply.status)

    async def _begin(self, reply: Reply, work: ConversationWork) -> bool:
        """See `_follow`."""
        *first, last = work.asked.asks
        for ask in first:
            try:
                return await self._follow(reply, work, self._begun(work, ask))
            except Problem as problem:
                if problem.reason is not Reason.SESSION_NOT_FOUND or reply.status:
                    raise
        return await self._follow(reply, work, self._begun(work, last))

    async def _follow(self, reply: Reply, work: ConversationWork, call: UpstreamRequest) -> bool:
        """Give the client what comes of a call. Whether the run is to be cancelled then."""
        stream = work.asked.as_it_comes(work.run) if work.asked.stream else None
        output = AsItComes(reply, stream) if stream else AtTheEnd(reply, work.asked.at_the_end(work.run))
        relay = Relay(
            call=call,
            run=work.run,
            upstreams=self._gateway.upstreams,
            reply=reply,
            output=output,
            refusals_as_they_are=False,
        )
        await relay.go()
        return stream is not None and stream.cancels

    async def _resumed(self, work: ConversationWork) -> UpstreamRequest | None:
        """What follows the run that waits for what is given; None to begin one. Raises Problem if that is not meant."""
        given = work.asked.given
        if given is None:
            return None
        require(self._gateway.policy, work.caller, Action.ANSWER, work.agent)
        grant = self._gateway.nesting.mint(work.caller, agent=work.agent, run=given.run)
        after = await resume(self._gateway.upstreams, work.call, given, grant=grant)
        if after is None:
            if given.lost is not None:
                raise given.lost
            return None
        work.run = given.run
        headers = {"Accept": EVENT_STREAM, "Last-Event-ID": after}
        outgoing(headers)
        return work.call("GET", f"/agents/{work.agent}/runs/{given.run}{work.watch}", headers=headers, stream=True)

    def _begun(self, work: ConversationWork, ask: Ask) -> UpstreamRequest:
        """What begins a run."""
        headers = {"Accept": EVENT_STREAM, "Content-Type": "application/json", RUN_HEADER: work.run}
        outgoing(headers)
        terms = self._gateway.terms(work.caller, agent=work.agent, run=work.run)
        body = ask.model_copy(update={"unfollowed_seconds": UNFOLLOWED_SECONDS, **terms}).to_json()
        return work.call("POST", f"/agents/{work.agent}/runs{work.watch}", headers=headers, body=body, stream=True)

    async def _cancel(self, work: ConversationWork) -> None:
        call = work.call("DELETE", f"/agents/{work.agent}/runs/{work.run}", headers={}, seconds=CANCEL_SECONDS)
        await cancel(self._gateway.upstreams, call, run=work.run)
