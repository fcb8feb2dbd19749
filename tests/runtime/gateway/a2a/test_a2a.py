"""A2A 1.0 with the SDK's official client, the real gateway and a real host."""

import io
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.client import Client, ClientConfig, create_client
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import MessageToDict, ParseDict

from slipway_runtime.gateway.auth import new_key
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.scripted_host import words

A2A = f"/agents/{SUPPORT}/a2a"
BINDINGS = ("JSONRPC", "HTTP+JSON")
Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
def connect(stack: AsyncExitStack) -> Connect:
    """Make a client of an agent from its card."""

    async def connected(front: Front, *, binding: str = "JSONRPC", streaming: bool = True, key: str = "") -> Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        http = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=60))
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding], streaming=streaming)
        return await stack.enter_async_context(await create_client(f"{front.url}{A2A}/", config))

    return connected


@pytest.fixture(params=BINDINGS)
async def client(request: pytest.FixtureRequest, front: Front, connect: Connect) -> Client:
    """A client that streams, by either binding."""
    return await connect(front, binding=request.param)


@pytest.fixture(params=BINDINGS)
async def caller(request: pytest.FixtureRequest, front: Front, connect: Connect) -> Client:
    """A client that waits for answers, by either binding."""
    return await connect(front, binding=request.param, streaming=False)


def says(
    text: str,
    *,
    id: str = "m-1",  # noqa: A002
    soon: bool = False,
    task_id: str = "",
    context_id: str = "",
) -> SendMessageRequest:
    parts = [Part(text=text)]
    message = Message(message_id=id, role=Role.ROLE_USER, parts=parts, task_id=task_id, context_id=context_id)
    return SendMessageRequest(message=message, configuration=SendMessageConfiguration(return_immediately=soon))


def gives(data: dict[str, Any], *, task_id: str) -> SendMessageRequest:
    part = ParseDict({"data": data}, Part())
    return SendMessageRequest(message=Message(message_id="m-2", role=Role.ROLE_USER, parts=[part], task_id=task_id))


async def sent(client: Client, request: SendMessageRequest) -> list[StreamResponse]:
    return [each async for each in client.send_message(request)]


async def task_of(client: Client, request: SendMessageRequest) -> Task:
    (response,) = await sent(client, request)
    return response.task


def said(task: Task) -> str:
    return "".join(part.text for artifact in task.artifacts for part in artifact.parts)


def heard(responses: list[StreamResponse]) -> str:
    """The answer as a client has it that heeds `append`."""
    text = ""
    for each in responses:
        if each.HasField("artifact_update"):
            update = each.artifact_update
            text = (text if update.append else "") + "".join(part.text for part in update.artifact.parts)
    return text


async def test_an_answer_is_a_completed_task(caller: Client) -> None:
    task = await task_of(caller, says("4 words", context_id="talk"))
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert said(task) == "".join(words(4))
    assert task.context_id == "talk"
    assert [message.message_id for message in task.history] == ["m-1"]
    (answer,) = task.artifacts
    assert MessageToDict(answer.parts[-1].data)["sources"] == []


async def test_a_stream_begins_with_the_task_and_has_the_same_text(client: Client) -> None:
    responses = await sent(client, says("4 words"))
    assert responses[0].HasField("task")
    assert heard(responses) == "".join(words(4))
    states = [each.status_update.status.state for each in responses if each.HasField("status_update")]
    assert states == [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]
    assert {each.artifact_update.append for each in responses if each.HasField("artifact_update")} == {False, True}


async def test_a_task_can_be_looked_up(caller: Client) -> None:
    asked = await task_of(caller, says("4 words"))
    found = await caller.get_task(GetTaskRequest(id=asked.id))
    assert (found.id, found.context_id, said(found)) == (asked.id, asked.context_id, "".join(words(4)))
    assert [message.message_id for message in found.history] == ["m-1"]
    bare = await caller.get_task(GetTaskRequest(id=asked.id, history_length=0))
    assert not bare.history


async def test_a_context_is_a_session(caller: Client, front: Front) -> None:
    first = await task_of(caller, says("1 words", context_id="talk"))
    second = await task_of(caller, says("2 words", id="m-2", context_id="talk"))
    other = await task_of(caller, says("2 words", id="m-3"))
    async with front.client.get(f"/agents/{SUPPORT}/runs") as response:
        sessions = {run["run_id"]: run["session_id"] for run in (await response.json())["runs"]}
    assert sessions[first.id] == sessions[second.id] != sessions[other.id]
    assert other.context_id not in ("", "talk")


async def test_the_clients_own_word_for_a_context_is_no_ones_session(caller: Client, front: Front) -> None:
    async with front.client.post(f"/agents/{SUPPORT}/chat", json={"question": "1 words"}) as response:
        session = (await response.json())["session_id"]
    task = await task_of(caller, says("1 words", context_id=session))
    async with front.client.get(f"/agents/{SUPPORT}/sessions/{session}") as response:
        runs = [turn["run_id"] for turn in (await response.json())["turns"]]
    assert task.id not in runs


async def test_return_immediately(caller: Client) -> None:
    task = await task_of(caller, says("ask me", soon=True))
    assert task.status.state in (TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING)


async def test_a_task_that_waits_goes_on_with_the_next_message(caller: Client) -> None:
    task = await task_of(caller, says("ask me, 3 words"))
    assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    text, data = task.status.message.parts
    assert (text.text, MessageToDict(data.data)["kind"]) == ("Go on?", "approval")
    done = await task_of(caller, gives({"approved": True}, task_id=task.id))
    assert (done.id, done.context_id) == (task.id, task.context_id)
    assert (done.status.state, said(done)) == (TaskState.TASK_STATE_COMPLETED, "".join(words(3)))


async def test_a_stream_ends_where_the_task_waits(client: Client) -> None:
    responses = await sent(client, says("ask me, 3 words"))
    assert responses[-1].status_update.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    task = responses[0].task
    rest = await sent(client, says("yes", id="m-2", task_id=task.id, context_id=task.context_id))
    assert rest[0].task.id == task.id
    assert heard(rest) == "".join(words(3))
    assert rest[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_an_answer_that_is_sent_again_is_heard_once(caller: Client) -> None:
    task = await task_of(caller, says("ask me, 3 words"))
    first = await task_of(caller, says("yes", id="m-2", task_id=task.id))
    again = await task_of(caller, says("yes", id="m-2", task_id=task.id))
    assert said(first) == said(again) == "".join(words(3))
    with pytest.raises(UnsupportedOperationError):
        await task_of(caller, says("yes", id="m-3", task_id=task.id))


async def test_what_is_no_answer_is_refused_with_what_to_send(caller: Client) -> None:
    task = await task_of(caller, says("ask me, 3 words"))
    with pytest.raises(InvalidParamsError, match="approved"):
        await task_of(caller, says("perhaps", id="m-2", task_id=task.id))
    with pytest.raises(InvalidParamsError, match="contextId"):
        await task_of(caller, says("yes", id="m-2", task_id=task.id, context_id="other"))


async def test_a_task_is_cancelled_once(caller: Client) -> None:
    task = await task_of(caller, says("ask me"))
    cancelled = await caller.cancel_task(CancelTaskRequest(id=task.id))
    assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
    with pytest.raises(TaskNotCancelableError):
        await caller.cancel_task(CancelTaskRequest(id=task.id))
    with pytest.raises(TaskNotFoundError):
        await caller.cancel_task(CancelTaskRequest(id="nothing"))


async def test_tasks_are_listed_newest_change_first(caller: Client) -> None:
    waiting = await task_of(caller, says("ask me", context_id="talk"))
    others = [await task_of(caller, says("1 words", id=f"m-{number}")) for number in range(3)]
    page = await caller.list_tasks(ListTasksRequest(page_size=2))
    assert [task.id for task in page.tasks] == [others[2].id, others[1].id]
    assert (page.total_size, page.page_size) == (4, 2)
    rest = await caller.list_tasks(ListTasksRequest(page_size=2, page_token=page.next_page_token))
    assert [task.id for task in rest.tasks] == [others[0].id, waiting.id]
    assert rest.next_page_token == ""
    asked = await caller.list_tasks(ListTasksRequest(context_id="talk"))
    assert [(task.id, task.context_id) for task in asked.tasks] == [(waiting.id, "talk")]
    full = await caller.list_tasks(
        ListTasksRequest(status=TaskState.TASK_STATE_COMPLETED, include_artifacts=True, page_size=1)
    )
    assert said(full.tasks[0]) == "word0 "


async def test_a_task_is_subscribed_to(client: Client, connect: Connect, front: Front) -> None:
    (*_, last) = await sent(client, says("ask me, 3 words"))
    task_id = last.status_update.task_id
    coming = client.subscribe(SubscribeToTaskRequest(id=task_id))
    first = await anext(coming)
    assert first.task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    await sent(client, says("yes", id="m-2", task_id=task_id))
    assert heard([each async for each in coming]) == "".join(words(3))
    with pytest.raises(UnsupportedOperationError):
        await anext(client.subscribe(SubscribeToTaskRequest(id=task_id)))


async def test_the_tasks_of_others_are_not_there(start_front: StartFront, start_host: StartHost, connect: Connect,
                                                 tmp_path: Path) -> None:  # fmt: skip
    keys = {name: new_key(name) for name in ("alice", "mallory")}
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [entry.model_dump() for _, entry in keys.values()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])
    alice, mallory = [await connect(front, streaming=False, key=key) for key, _ in keys.values()]
    task = await task_of(alice, says("ask me", context_id="talk"))
    for stolen in (
        mallory.get_task(GetTaskRequest(id=task.id)),
        mallory.cancel_task(CancelTaskRequest(id=task.id)),
        task_of(mallory, says("yes", id="m-2", task_id=task.id)),
        anext((await connect(front, key=keys["mallory"][0])).subscribe(SubscribeToTaskRequest(id=task.id))),
    ):
        with pytest.raises(TaskNotFoundError):
            await stolen
    assert not (await mallory.list_tasks(ListTasksRequest(context_id="talk"))).tasks
    assert (await task_of(mallory, says("1 words", context_id="talk"))).id != task.id
    async with front.client.get(f"{A2A}/.well-known/agent-card.json") as response:
        assert response.status == 401


async def test_the_card(front: Front) -> None:
    front.routes.describe(SUPPORT, front.routes.description(SUPPORT))
    async with front.client.get(f"{A2A}/.well-known/agent-card.json") as response:
        card, tag = await response.json(), response.headers["ETag"]
        assert response.headers["Cache-Control"] == "private, max-age=60"
    assert {each["url"] for each in card["supportedInterfaces"]} == {f"{front.url}{A2A}"}
    assert [each["protocolBinding"] for each in card["supportedInterfaces"]] == [*BINDINGS]
    async with front.client.get(f"{A2A}/.well-known/agent-card.json", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")


VERSIONED = {"A2A-Version": "1.0", "Content-Type": "application/json"}
RPC = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "x"}}


async def test_the_version_is_asked_for(front: Front) -> None:
    for headers, code in (({}, -32009), ({"A2A-Version": "2.0"}, -32009), ({"A2A-Version": "1.0"}, -32001)):
        for path in (A2A, f"{A2A}/"):
            async with front.client.post(path, json=RPC, headers=headers) as response:
                assert (await response.json())["error"]["code"] == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b"[" * 100_000, -32700),
        (json.dumps([RPC, RPC]).encode(), -32600),
        (json.dumps({**RPC, "method": "Nothing"}).encode(), -32601),
        (json.dumps({**RPC, "params": [1]}).encode(), -32602),
        (json.dumps({**RPC, "method": "SendMessage", "params": {"message": {"role": "ROLE_USER"}}}).encode(), -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "GetTask", "method": "Nothing"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "x", "id": "y"}}', -32600),
    ],
)
async def test_bad_bodies(front: Front, body: bytes, code: int) -> None:
    async with front.client.post(A2A, data=body, headers=VERSIONED) as response:
        answer = await response.json()
    assert "error" in answer, answer
    assert answer["error"]["code"] == code
    assert "question" not in answer["error"]["message"], "that is what chat takes"


async def test_bad_bodies_by_http(front: Front) -> None:
    for body, status, named in ((b"{", 400, '{"message": {...}}'), (b'{"message": {}, "message": {}}', 422, "twice")):
        async with front.client.post(f"{A2A}/message:send", data=body, headers=VERSIONED) as response:
            answer = await response.json()
        assert response.status == status, answer
        assert named in answer["error"]["message"]


async def test_a_body_that_is_too_long(front: Front) -> None:
    async with front.client.post(A2A, data=io.BytesIO(b" " * (9 * 1024 * 1024)), headers=VERSIONED) as response:
        assert (response.status, (await response.json())["reason"]) == (413, "QuestionTooLarge")


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "multipart/form-data; boundary=x"])
async def test_what_does_not_say_that_it_is_json_is_refused(front: Front, kind: str) -> None:
    headers = {**VERSIONED, "Content-Type": kind}
    async with front.client.post(A2A, data=json.dumps(RPC), headers=headers) as response:
        assert (await response.json())["error"]["code"] == -32005
    async with front.client.post(f"{A2A}/message:send", data=b"{}", headers=headers) as response:
        assert response.status == 415


@pytest.mark.parametrize("binding", BINDINGS)
async def test_another_gateway_goes_on_with_a_task_whose_client_was_left(
    binding: str, start_front: StartFront, start_host: StartHost, connect: Connect
) -> None:
    _, url = await start_host(delta_delay=0.02)
    first, second = await start_front(), await start_front()
    for front in (first, second):
        front.routes.set(SUPPORT, [url])
    coming = (await connect(first, binding=binding)).send_message(says("60 words", context_id="talk"))
    task = (await anext(coming)).task
    await coming.aclose()  # type: ignore[attr-defined]
    client = await connect(second, binding=binding)
    rest = [each async for each in client.subscribe(SubscribeToTaskRequest(id=task.id))]
    assert rest[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
    found = await client.get_task(GetTaskRequest(id=task.id))
    assert (found.context_id, said(found)) == ("talk", "".join(words(60)))


async def test_a_question_with_a_key_is_asked_once(front: Front) -> None:
    message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "2 words"}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    tasks = set()
    for key in ("a", "a", "b"):
        headers = {**VERSIONED, "Idempotency-Key": key}
        async with front.client.post(A2A, json=body, headers=headers) as response:
            tasks.add((await response.json())["result"]["task"]["id"])
    assert len(tasks) == 2
