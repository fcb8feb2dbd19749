"""The SDK's `RequestHandler` over runs of workflows: nothing is kept here, workers have all of it."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

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
    TaskState,
)
from a2a.utils.errors import (
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    UnsupportedOperationError,
)
from starlette.requests import Request

from slipway_runtime.gateway.a2a.visit import VISIT
from slipway_runtime.gateway.requests import named_request
from slipway_runtime.gateway.workflows.runs import WorkflowRuns
from slipway_runtime.problems import Problem
from slipway_runtime.protocols.a2a import workflow_runs as tasks
from slipway_runtime.protocols.a2a.errors import a2a_error
from slipway_runtime.protocols.a2a.messages import approval, check_ids, text_of
from slipway_runtime.protocols.a2a.workflow_runs import Json


@dataclass
class WorkflowVisit:
    """Who asks about which workflow."""

    request: Request
    runs: WorkflowRuns
    problem: Problem | None = None
    """Why the request could not be answered."""


def visit_of(context: ServerCallContext) -> WorkflowVisit:
    """The visit that a context was made of."""
    found = context.state[VISIT]
    assert isinstance(found, WorkflowVisit)
    return found


@contextmanager
def worded(visit: WorkflowVisit) -> Iterator[None]:
    """Raise problems as errors of the protocol."""
    try:
        yield
    except Problem as problem:
        visit.problem = problem
        raise a2a_error(problem) from None


class RunTasks(RequestHandler):
    """It keeps nothing of a request, so one object answers all of them."""

    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task | Message:
        """Start a run, or decide what it waits for; the task once it ends or waits, or, if told so, has begun."""
        visit = visit_of(context)
        with worded(visit):
            run, after = await _sent(visit, params)
            if not params.configuration.return_immediately:
                async with aclosing(visit.runs.follow(run, after=after)) as coming:
                    async for event in coming:
                        if tasks.rests(event):
                            break
            return tasks.task_of(await visit.runs.read(run))

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Sent]:
        """The same as a stream."""
        visit = visit_of(context)
        with worded(visit):
            run, after = await _sent(visit, params)
            async for each in _followed(visit, run, after=after):
                yield each

    @validate_request_params
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        """A run as it is now."""
        visit = visit_of(context)
        with worded(visit):
            return tasks.task_of(await visit.runs.read(params.id))

    @validate_request_params
    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """A page of the workflow's runs, the newest first."""
        visit = visit_of(context)
        states = [name for name, state in tasks.RUN_STATES.items() if state == params.status]
        if params.status != TaskState.TASK_STATE_UNSPECIFIED and not states:
            return ListTasksResponse(tasks=[], page_size=0, total_size=0)
        with worded(visit):
            page = await visit.runs.listed(state=states[0] if states else "", page=params.page_token)
        found = [tasks.task_of(each) for each in page["runs"]]
        return ListTasksResponse(
            tasks=found, next_page_token=page.get("next", ""), page_size=len(found), total_size=len(found)
        )

    @validate_request_params
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        """End a run."""
        visit = visit_of(context)
        with worded(visit):
            if tasks.task_of(await visit.runs.read(params.id)).status.state in tasks.OVER:
                raise TaskNotCancelableError("The task has ended already.")
            await visit.runs.cancel(params.id)
            return tasks.task_of(await visit.runs.read(params.id))

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Sent]:
        """A run as it is now, and what becomes of it until it ends or waits for a person."""
        visit = visit_of(context)
        with worded(visit):
            found = await visit.runs.read(params.id)
            if tasks.task_of(found).status.state in tasks.OVER:
                raise UnsupportedOperationError("The task has ended: read it with GetTask.")
            async for each in _followed(visit, params.id, after=int(found["last_event"])):
                yield each

    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Not for workflows: `spec.publish` writes events to a topic."""
        raise PushNotificationNotSupportedError

    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Not for workflows."""
        raise PushNotificationNotSupportedError

    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """Not for workflows."""
        raise PushNotificationNotSupportedError

    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Not for workflows."""
        raise PushNotificationNotSupportedError

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """There is none: the card that everybody may read who may start runs has all there is."""
        raise UnsupportedOperationError("There is no extended card: the agent card has all there is.")


async def _sent(visit: WorkflowVisit, params: SendMessageRequest) -> tuple[str, int]:
    """The run that a message starts or decides, and its last event before that. Raises A2AError, Problem."""
    message = params.message
    check_ids(message)
    if params.configuration.HasField("task_push_notification_config"):
        raise PushNotificationNotSupportedError
    if message.task_id:
        return message.task_id, await _decided(visit, message)
    if message.context_id:
        raise InvalidParamsError("Each run is a context of its own: leave contextId out.")
    runs = visit.runs
    entry = runs.gateway.workflows.get(runs.key)
    given = tasks.given(message, entry.input_schema if entry else None)
    run = named_request(visit.request, owner=runs.caller.owner, subject=f"workflow:{runs.key}/runs")
    await runs.start(run, given, started_by="a2a")
    return run, 0


async def _decided(visit: WorkflowVisit, message: Message) -> int:
    found: Json = await visit.runs.read(message.task_id)
    asked = tasks.asked_of(found)
    if asked is None:
        raise UnsupportedOperationError("The task waits for no approval: send the message without taskId.")
    approved, comment = approval(message), text_of(message)
    await visit.runs.decide(message.task_id, asked["step"], approved=approved, comment=comment)
    return int(found["last_event"])


async def _followed(visit: WorkflowVisit, run: str, *, after: int) -> AsyncGenerator[Sent]:
    """The task, and what becomes of it until it ends or waits for a person."""
    yield tasks.task_of(await visit.runs.read(run))
    async with aclosing(visit.runs.follow(run, after=after)) as coming:
        async for event in coming:
            whole = await visit.runs.with_output(run, event) if event.get("type") == "done" else event
            for update in tasks.updates_of(run, whole):
                yield update
            if tasks.rests(event):
                return
