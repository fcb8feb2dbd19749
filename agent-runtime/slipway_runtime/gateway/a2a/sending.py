"""A client's message: the beginning of a run, or the answer to what a run waits for."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
from a2a.server.events import Event as Sent
from a2a.types.a2a_pb2 import Message, SendMessageRequest, TaskPushNotificationConfig
from a2a.utils.errors import InvalidParamsError, UnsupportedOperationError
from a2a.utils.task import apply_history_length

from slipway_runtime.events import Event
from slipway_runtime.gateway.a2a import receivers
from slipway_runtime.gateway.a2a.looking_up import (
    JSON,
    QUICK_SECONDS,
    Recorded,
    context_of,
    read_task,
    session_of,
)
from slipway_runtime.gateway.a2a.visit import Visit
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.inner_calls import fetch, follow
from slipway_runtime.gateway.permissions import Action, require
from slipway_runtime.gateway.requests import request_id
from slipway_runtime.gateway.upstream import UpstreamRequest
from slipway_runtime.protocols.a2a import messages
from slipway_runtime.protocols.a2a.tasks import ENDED, TaskView
from slipway_runtime.protocols.headers import REQUEST_HEADER, RUN_HEADER
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM
from slipway_runtime.telemetry.tracing import outgoing

SESSION_WAIT = "30s"
"""How long a message waits for the one before it in its context."""


class Sending:
    """Sends one message.

    Args:
        watch: whether the client wants each event as it comes.
    """

    def __init__(self, gateway: Gateway, visit: Visit, params: SendMessageRequest, *, watch: bool) -> None:
        self._gateway = gateway
        self._visit = visit
        self._message = params.message
        self._configuration = params.configuration
        self._watch = watch
        self.view: TaskView | None = None
        """The task as far as its events have come; None before it has begun."""

    async def events(self) -> AsyncGenerator[Sent]:
        """The task, and what becomes of it until it ends or waits for the client.

        Raises:
            A2AError, Problem: before the first one; Problem if the run cannot be followed any further.
        """
        messages.check_ids(self._message)
        sent = self._answered() if self._message.task_id else self._asked()
        async with aclosing(sent):
            async for each in sent:
                yield each

    async def _asked(self) -> AsyncGenerator[Sent]:
        visit, message = self._visit, self._message
        require(self._gateway.policy, visit.caller, Action.ASK, visit.agent)
        if self._configuration.HasField("task_push_notification_config"):
            await receivers.check(self._gateway, self._configuration.task_push_notification_config)
        run = request_id(visit.request, owner=visit.caller.owner, agent=visit.agent)
        context = message.context_id or context_of(run)
        ask = messages.question(message, context=context).model_copy(
            update={
                "session": session_of(visit, context),
                "begins_session": True,
                **self._gateway.terms(visit.caller, agent=visit.agent, run=run),
            }
        )
        headers = {
            "Accept": EVENT_STREAM,
            "Content-Type": "application/json",
            RUN_HEADER: run,
        }
        outgoing(headers)
        path = f"{visit.path}/runs?wait={SESSION_WAIT}{'' if self._watch else '&watch=false'}"
        call = visit.call("POST", path, headers=headers, body=ask.to_json(), stream=True)
        asked = Message()
        asked.CopyFrom(message)
        asked.task_id, asked.context_id = run, context
        async for each in self._followed(TaskView(run, context, history=[asked]), call, begun=False):
            yield each

    async def _add_receiver(self, task_id: str) -> None:
        """Store the receiver that came with the message. It is notified of a task that has ended already, too."""
        if self._configuration.HasField("task_push_notification_config"):
            config = TaskPushNotificationConfig()
            config.CopyFrom(self._configuration.task_push_notification_config)
            config.task_id = task_id
            config.id = config.id or task_id
            await receivers.put(self._gateway, self._visit, config)

    async def _answered(self) -> AsyncGenerator[Sent]:
        visit, message = self._visit, self._message
        require(self._gateway.policy, visit.caller, Action.ANSWER, visit.agent)
        task = await read_task(self._gateway, visit, message.task_id)
        if message.context_id and message.context_id != task.view.context_id:
            raise InvalidParamsError("contextId names another context than the one of the task: leave it out.")
        await self._give(task)
        headers = {"Accept": EVENT_STREAM, "Last-Event-ID": task.last_id}
        outgoing(headers)
        path = f"{visit.path}/runs/{task.view.task_id}{'' if self._watch else '?watch=false'}"
        call = visit.call("GET", path, headers=headers, stream=True)
        async for each in self._followed(task.view, call, begun=True):
            yield each

    async def _give(self, task: Recorded) -> None:
        """Give the input that the task asked for last. A message that is sent again has been heard already."""
        if not task.inputs:
            raise UnsupportedOperationError("The task waits for nothing: send the message without taskId.")
        asked, visit, run = task.inputs[-1], self._visit, task.view.task_id
        grant = self._gateway.nesting.mint(visit.caller, agent=visit.agent, run=run)
        given = messages.answer(self._message, asked).renewed(grant)
        named = orjson.dumps([visit.caller.owner, run, asked.id, self._message.message_id])
        headers = {**JSON, "Content-Type": "application/json", REQUEST_HEADER: hashlib.sha256(named).hexdigest()[:32]}
        outgoing(headers)
        body = given.model_dump_json(exclude_none=True).encode()
        path = f"{visit.path}/runs/{run}/input/{asked.id}"
        await fetch(
            self._gateway.upstreams, visit.call("POST", path, headers=headers, body=body, seconds=QUICK_SECONDS)
        )

    async def _followed(self, view: TaskView, call: UpstreamRequest, *, begun: bool) -> AsyncGenerator[Sent]:
        """The task, and then updates.

        Args:
            begun: whether the task is one that the client knows already.
        """
        self.view = view
        if view.state in ENDED:  # since the message was sent before
            yield apply_history_length(view.task(), self._configuration)
            return
        if begun:
            await self._add_receiver(view.task_id)
            view.settle("running")
            yield apply_history_length(view.task(), self._configuration)
        coming = follow(self._gateway.upstreams, call, run=view.task_id, until=_rests)
        async with aclosing(coming):
            async for event in coming:
                if not begun:
                    begun = True
                    await self._add_receiver(view.task_id)
                    yield apply_history_length(view.task(), self._configuration)
                for update in view.take(event):
                    yield update
                if view.at_rest and _rests(event):
                    return


def _rests(event: Event) -> bool:
    """Whether the client has all there is for it now."""
    return event.type in ("input_required", "done", "failed", "cancelled")
