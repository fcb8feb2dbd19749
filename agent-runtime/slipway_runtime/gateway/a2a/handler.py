"""The SDK's `RequestHandler` over the inner protocol: a run is a task, so no task is kept here.

Whatever a client asks for is asked of hosts in the caller's name, so to everybody else there is no such task.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager

from a2a.server.context import ServerCallContext
from a2a.server.events import Event as Sent
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import (
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.task import apply_history_length, validate_history_length, validate_page_size

from slipway_runtime.gateway.a2a import receivers
from slipway_runtime.gateway.a2a.looking_up import QUICK_SECONDS, Recorded, list_tasks, read_task
from slipway_runtime.gateway.a2a.sending import Sending
from slipway_runtime.gateway.a2a.visit import Visit, visit_of
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.inner_calls import fetch, follow
from slipway_runtime.gateway.permissions import Action, require
from slipway_runtime.problems import Problem
from slipway_runtime.protocols.a2a.errors import a2a_error
from slipway_runtime.protocols.a2a.tasks import ENDED
from slipway_runtime.protocols.sse import MEDIA_TYPE as EVENT_STREAM

PAGE_SIZE = 50
AT_ONCE = 8
"""Records that are read at the same time for a list with artifacts."""


@contextmanager
def worded(visit: Visit) -> Iterator[None]:
    """Raise problems as errors of the protocol."""
    try:
        yield
    except Problem as problem:
        visit.problem = problem
        raise a2a_error(problem) from None


class TaskHandler(RequestHandler):
    """It keeps nothing of a request, so one object answers all of them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task | Message:
        """Ask, or answer what a task waits for; the task once it ends, waits, or, if told so, has begun."""
        validate_history_length(params.configuration)
        visit, soon = visit_of(context), params.configuration.return_immediately
        sending = Sending(self._gateway, visit, params, watch=soon)
        with worded(visit):
            async with aclosing(sending.events()) as coming:
                async for _ in coming:
                    if soon:
                        break
        assert sending.view is not None
        if not soon and (reply := sending.view.reply):
            return reply
        return apply_history_length(sending.view.task(), params.configuration)

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Sent]:
        """The same as a stream."""
        validate_history_length(params.configuration)
        visit = visit_of(context)
        with worded(visit):
            async with aclosing(Sending(self._gateway, visit, params, watch=True).events()) as coming:
                async for each in coming:
                    yield each

    @validate_request_params
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        """A task as it is now."""
        validate_history_length(params)
        found = await self._read(visit_of(context), params.id)
        return apply_history_length(found.view.task(changed=found.changed), params)

    @validate_request_params
    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """A page of the caller's tasks with this agent, those that changed last first."""
        validate_history_length(params)
        if params.HasField("page_size"):
            validate_page_size(params.page_size)
        visit, size = visit_of(context), params.page_size or PAGE_SIZE
        with worded(visit):
            require(self._gateway.policy, visit.caller, Action.READ, visit.agent)
            page = await list_tasks(self._gateway, visit, params, limit=size)
            found = await self._with_artifacts(visit, page.tasks) if params.include_artifacts else page.tasks
        return ListTasksResponse(
            tasks=[apply_history_length(each.view.task(changed=each.changed), params) for each in found],
            next_page_token=page.after or "",
            page_size=size,
            total_size=page.total,
        )

    async def _with_artifacts(self, visit: Visit, tasks: Sequence[Recorded]) -> list[Recorded]:
        """The same tasks, each read by itself: a list has no events."""
        places = asyncio.Semaphore(AT_ONCE)

        async def read(task: Recorded) -> Recorded:
            async with places:
                return await read_task(self._gateway, visit, task.view.task_id)

        return list(await asyncio.gather(*map(read, tasks)))

    @validate_request_params
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        """End a task."""
        visit = visit_of(context)
        found = await self._read(visit, params.id)
        if found.view.state in ENDED:
            raise TaskNotCancelableError("The task has ended already.")
        with worded(visit):
            require(self._gateway.policy, visit.caller, Action.DELETE, visit.agent)
            call = visit.call("DELETE", f"{visit.path}/runs/{params.id}", headers={}, seconds=QUICK_SECONDS)
            await fetch(self._gateway.upstreams, call)
        now = await self._read(visit, params.id)
        return now.view.task(changed=now.changed)

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Sent]:
        """A task as it is now, and what becomes of it until it ends."""
        visit = visit_of(context)
        found = await self._read(visit, params.id)
        view = found.view
        if view.state in ENDED:
            raise UnsupportedOperationError("The task has ended: read it with GetTask.")
        yield view.task(changed=found.changed)
        headers = {"Accept": EVENT_STREAM, **({"Last-Event-ID": found.last_id} if found.last_id else {})}
        call = visit.call("GET", f"{visit.path}/runs/{params.id}", headers=headers, stream=True)
        with worded(visit):
            async with aclosing(follow(self._gateway.upstreams, call, run=params.id)) as coming:
                async for event in coming:
                    for update in view.take(event):
                        yield update

    async def _read(self, visit: Visit, task_id: str) -> Recorded:
        with worded(visit):
            require(self._gateway.policy, visit.caller, Action.READ, visit.agent)
            return await read_task(self._gateway, visit, task_id)

    @validate_request_params
    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Tell a receiver what becomes of a task."""
        visit = visit_of(context)
        with worded(visit):
            return await receivers.put(self._gateway, visit, params)

    @validate_request_params
    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """One receiver of a task."""
        visit = visit_of(context)
        with worded(visit):
            found = await receivers.list_all(self._gateway, visit, params.task_id)
        named = [each for each in found if each.id == params.id]
        if not named:
            raise TaskNotFoundError("The task has no such push notification configuration.")
        return named[0]

    @validate_request_params
    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """All receivers of a task."""
        visit = visit_of(context)
        with worded(visit):
            found = await receivers.list_all(self._gateway, visit, params.task_id)
        return ListTaskPushNotificationConfigsResponse(configs=found)

    @validate_request_params
    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Tell a receiver nothing more."""
        visit = visit_of(context)
        with worded(visit):
            await receivers.remove(self._gateway, visit, params.task_id, params.id)

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """There is none: the card that everybody may read who may ask the agent has all there is."""
        raise UnsupportedOperationError("There is no extended card: the agent card has all there is.")
