"""A workflow by A2A 1.0, with the SDK's official client: a run is a task, an approval an input that it requires."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from a2a.client import Client, ClientConfig, create_client
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import MessageToDict

from tests.runtime.gateway.a2a.test_a2a import gives, says, sent, task_of
from tests.runtime.workflows.doors.conftest import LONG, Doors
from tests.support.workflows import giving

SPEC = """
description: Greets somebody.
input: {schema: {type: object, required: [name], properties: {name: {type: string}}}}
steps:
  - {name: greet, agentRef: {name: clerk}, ask: "Hello ${input.name}"}
  - {name: sign, needs: [greet], approval: {groups: [leads], message: "Send it to ${input.name}?"}}
output: {value: "{'said': steps.greet.given.question, 'by': steps.sign.by}"}
"""
SHORT = """
input: {schema: {type: object, required: [name], properties: {name: {type: string}}}}
steps: [{name: greet, agentRef: {name: clerk}, ask: "Hello ${input.name}"}]
output: {value: steps.greet.given}
"""
Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
def connect(stack: AsyncExitStack, doors: Doors) -> Connect:
    """Make a client of the workflow from its card."""

    async def connected(key: str, *, binding: str = "JSONRPC", streaming: bool = False) -> Client:
        http = await stack.enter_async_context(
            httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60)
        )
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding], streaming=streaming)
        made = await create_client(f"{doors.front.url}/workflows/demo/test/a2a/", config)
        return await stack.enter_async_context(made)

    return connected


@pytest.fixture(params=["JSONRPC", "HTTP+JSON"])
def binding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def output(task: Task) -> Any:
    (artifact,) = task.artifacts
    (part,) = artifact.parts
    return MessageToDict(part.data)


async def test_the_card_has_one_skill(doors: Doors) -> None:
    doors.define(SPEC)
    url = f"{doors.front.url}/workflows/demo/test/a2a/.well-known/agent-card.json"
    async with doors.front.client.get(url, headers={"X-API-Key": doors.other}) as response:
        card = await response.json()
    assert [each["id"] for each in card["skills"]] == ["run"]
    assert card["description"] == "Greets somebody."
    assert card["capabilities"] == {"streaming": True, "pushNotifications": False, "extendedAgentCard": False}


async def test_a_message_runs_the_workflow(doors: Doors, connect: Connect, binding: str) -> None:
    doors.define(SHORT)
    client = await connect(doors.other, binding=binding)
    for message in (says("Ada"), says('{"name": "Ada"}'), gives({"name": "Ada"}, task_id="")):
        task = await task_of(client, message)
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert output(task) == {"question": "Hello Ada"}
    run = await doors.engine.engine.store.read(task.id)
    assert (run.started_by, run.caller) == ("a2a", "other")
    assert await client.get_task(GetTaskRequest(id=task.id)) == task
    listed = (await client.list_tasks(ListTasksRequest())).tasks
    assert [task.id, 3] == [listed[0].id, len(listed)]


@pytest.mark.proves("Workflow.steps[].approval.message", "Workflow.steps[].approval.groups")
async def test_an_approval_is_an_input_that_is_required(doors: Doors, connect: Connect, binding: str) -> None:
    doors.define(SPEC)
    client, lead = await connect(doors.other, binding=binding), await connect(doors.lead, binding=binding)
    task = await task_of(client, says("Ada"))
    assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    words, about = task.status.message.parts
    assert words.text == "Send it to Ada?"
    asked = MessageToDict(about.data)
    assert (asked["step"], asked["groups"]) == ("sign", ["leads"])
    assert asked["until"] > 0
    with pytest.raises(UnsupportedOperationError, match="leads"):
        await task_of(client, says("yes", task_id=task.id))
    with pytest.raises(InvalidParamsError, match="approved"):
        await task_of(lead, says("perhaps", task_id=task.id))
    done = await task_of(lead, says("yes", task_id=task.id))
    assert done.status.state == TaskState.TASK_STATE_COMPLETED
    assert output(done) == {"said": "Hello Ada", "by": "lead"}
    with pytest.raises(UnsupportedOperationError, match="waits for no approval"):
        await task_of(lead, says("yes", task_id=task.id))


async def test_a_stream_has_the_task_its_steps_and_its_end(doors: Doors, connect: Connect, binding: str) -> None:
    doors.define(SPEC)
    client = await connect(doors.lead, binding=binding, streaming=True)
    first, *rest = await sent(client, says("Ada"))
    run = first.task.id
    said = [each.status_update.status.message.parts[0].text for each in rest if each.status_update.status.message.parts]
    assert said == ["greet has begun", "greet succeeded", "Send it to Ada?"]
    _, *more = await sent(client, gives({"approved": True}, task_id=run))
    made = [each.artifact_update.artifact for each in more if each.HasField("artifact_update")]
    assert MessageToDict(made[0].parts[0].data)["by"] == "lead"
    assert more[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_what_is_refused(doors: Doors, connect: Connect, binding: str) -> None:
    doors.define(SPEC)
    client = await connect(doors.other, binding=binding)
    with pytest.raises(TaskNotFoundError):
        await client.get_task(GetTaskRequest(id="f" * 32))
    with pytest.raises(InvalidParamsError, match="input"):
        await task_of(client, gives({"name": 7}, task_id=""))
    with pytest.raises(InvalidParamsError, match="contextId"):
        await task_of(client, says("Ada", context_id="mine"))
    task = await task_of(client, says("Ada"))
    cancelled = await client.cancel_task(CancelTaskRequest(id=task.id))
    assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
    with pytest.raises(TaskNotCancelableError):
        await client.cancel_task(CancelTaskRequest(id=task.id))


async def test_others_do_not_learn_of_it(doors: Doors) -> None:
    doors.define(SPEC, groups=["leads"])
    for path in ("a2a/.well-known/agent-card.json", "a2a/tasks"):
        url = f"{doors.front.url}/workflows/demo/test/{path}"
        async with doors.front.client.get(url, headers={"X-API-Key": doors.other}) as response:
            assert (response.status, (await response.json())["reason"]) == (404, "WorkflowNotFound")


async def test_a_long_output_is_whole(doors: Doors, connect: Connect, binding: str) -> None:
    doors.define(LONG)
    text = "x" * 2_000_000
    doors.engine.agents.tools["clerk.ask"] = giving({"text": text})
    client = await connect(doors.other, binding=binding, streaming=True)
    updates = await sent(client, says("hi"))
    (artifact,) = [each.artifact_update.artifact for each in updates if each.HasField("artifact_update")]
    assert MessageToDict(artifact.parts[0].data) == {"text": text}
    assert updates[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
