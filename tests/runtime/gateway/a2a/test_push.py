"""Push notifications with the SDK's official client: a real gateway and host, and a receiver on this machine."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.client import Client, ClientConfig, create_client
from a2a.types.a2a_pb2 import (
    AuthenticationInfo,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    Task,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from aiohttp import web

from slipway_runtime.addresses import AddressRule
from slipway_runtime.gateway.a2a.pushing import pushing, send_due
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.plugins.connection import new_session
from slipway_runtime.store import receivers
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.waiting import until

ANYWHERE = AddressRule(loopback=True, private=True)
Connect = Callable[..., Awaitable[Client]]


class Receiver:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.refuses = 0
        """So many are answered with 500."""

    async def take(self, request: web.Request) -> web.Response:
        self.heard.append((dict(request.headers), await request.json()))
        self.refuses -= 1
        return web.Response(status=500 if self.refuses >= 0 else 200)

    @property
    def states(self) -> list[str]:
        return [each["task"]["status"]["state"] for _, each in self.heard]


@pytest.fixture
async def receiver(stack: AsyncExitStack) -> Receiver:
    made, app = Receiver(), web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    return made


@pytest.fixture
def connect(stack: AsyncExitStack) -> Connect:
    async def connected(front: Front, *, binding: str = "JSONRPC", key: str = "") -> Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        http = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=60))
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=[binding], streaming=False)
        return await stack.enter_async_context(await create_client(f"{front.url}/agents/{SUPPORT}/a2a/", config))

    return connected


@pytest.fixture(params=["JSONRPC", "HTTP+JSON"])
async def client(request: pytest.FixtureRequest, front: Front, connect: Connect) -> Client:
    front.gateway.receiver_rule = ANYWHERE
    return await connect(front, binding=request.param)


async def asked(client: Client, text: str = "say 5 words", *, push: TaskPushNotificationConfig | None = None) -> Task:
    message = Message(message_id="m-1", role=Role.ROLE_USER, parts=[Part(text=text)])
    configuration = SendMessageConfiguration(task_push_notification_config=push)
    request = SendMessageRequest(message=message, configuration=configuration)
    (response,) = [each async for each in client.send_message(request)]
    return response.task


async def send_now(front: Front) -> None:
    """What a gateway does every few seconds."""
    async with new_session(front.gateway.receiver_rule, timeout=5, connect_timeout=5) as http:
        await send_due(front.gateway, http, SUPPORT)


async def test_a_receiver_is_told_once_with_its_token(client: Client, front: Front, receiver: Receiver) -> None:
    proof = AuthenticationInfo(scheme="Bearer", credentials="s3cret")
    push = TaskPushNotificationConfig(url=receiver.url, token="t0ken", authentication=proof)
    async with pushing(front.gateway, pause=0.05):
        task = await asked(client, push=push)
        await until(lambda: bool(receiver.heard), "the receiver is told")
    await send_now(front)
    ((headers, body),) = receiver.heard
    assert (headers["X-A2A-Notification-Token"], headers["Authorization"]) == ("t0ken", "Bearer s3cret")
    assert body["task"]["id"] == task.id
    assert body["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_a_task_that_waits_is_told_of(client: Client, front: Front, receiver: Receiver) -> None:
    await asked(client, "ask me, 3 words", push=TaskPushNotificationConfig(url=receiver.url))
    await send_now(front)
    assert receiver.states == ["TASK_STATE_INPUT_REQUIRED"]


async def test_receivers_are_kept_by_task(client: Client, receiver: Receiver) -> None:
    task = await asked(client)
    config = TaskPushNotificationConfig(task_id=task.id, id="mine", url=receiver.url, token="t0ken")
    assert await client.create_task_push_notification_config(config) == config
    named = GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
    assert await client.get_task_push_notification_config(named) == config
    everything = ListTaskPushNotificationConfigsRequest(task_id=task.id)
    assert list((await client.list_task_push_notification_configs(everything)).configs) == [config]
    for _ in range(2):
        gone = DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        await client.delete_task_push_notification_config(gone)
    assert not (await client.list_task_push_notification_configs(everything)).configs
    with pytest.raises(TaskNotFoundError):
        await client.get_task_push_notification_config(named)


async def test_after_a_refusal_it_is_sent_again(
    client: Client, front: Front, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway_runtime.retrying.delay", lambda *_: 0.0)
    receiver.refuses = 1
    await asked(client, push=TaskPushNotificationConfig(url=receiver.url))
    async with pushing(front.gateway, pause=0.05):
        await until(lambda: len(receiver.heard) == 2, "the receiver is told again")
    await send_now(front)
    assert receiver.states == ["TASK_STATE_COMPLETED"] * 2


async def test_another_gateway_sends_what_one_had_claimed_that_is_gone(
    connect: Connect,
    start_front: StartFront,
    start_host: StartHost,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receivers, "CLAIM_SECONDS", 1.0)
    host, url = await start_host()
    front = await start_front()
    front.gateway.receiver_rule = ANYWHERE
    front.routes.set(SUPPORT, [url])
    await asked(await connect(front), push=TaskPushNotificationConfig(url=receiver.url))
    (claimed,) = await receivers.claim(host.database, agent=str(SUPPORT))
    assert claimed.config["url"] == receiver.url
    await send_now(front)
    assert not receiver.heard, "it is another gateway's for a while"
    async with pushing(front.gateway, pause=0.05):
        await until(lambda: bool(receiver.heard), "the other gateway sends")
    assert receiver.states == ["TASK_STATE_COMPLETED"]


async def test_it_is_given_up_after_a_while(
    connect: Connect,
    start_front: StartFront,
    start_host: StartHost,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(receivers, "GIVE_UP_SECONDS", -1.0)
    host, url = await start_host()
    front = await start_front()
    front.gateway.receiver_rule = ANYWHERE
    front.routes.set(SUPPORT, [url])
    receiver.refuses = 9
    await asked(await connect(front), push=TaskPushNotificationConfig(url=receiver.url))
    await send_now(front)
    assert "gave up telling a receiver" in caplog.text
    assert not await receivers.claim(host.database, agent=str(SUPPORT))


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://169.254.169.254/latest", ANYWHERE),
        ("http://[::ffff:169.254.169.254]/", ANYWHERE),
        ("http://127.0.0.1:1/hook", AddressRule()),
        ("http://10.0.0.1/hook", AddressRule()),
        ("http://user@example.org/", ANYWHERE),
        ("file:///etc/passwd", ANYWHERE),
    ],
)
async def test_nothing_is_sent_where_it_must_not(connect: Connect, front: Front, url: str, rule: AddressRule) -> None:
    front.gateway.receiver_rule = rule
    client = await connect(front)
    task = await asked(client)
    with pytest.raises(InvalidParamsError):
        await client.create_task_push_notification_config(TaskPushNotificationConfig(task_id=task.id, url=url))
    with pytest.raises(InvalidParamsError):
        await asked(client, push=TaskPushNotificationConfig(url=url))


async def test_an_address_is_looked_at_again_when_it_is_sent(client: Client, front: Front, receiver: Receiver) -> None:
    await asked(client, push=TaskPushNotificationConfig(url=receiver.url))
    front.gateway.receiver_rule = AddressRule()
    await send_now(front)
    assert not receiver.heard


async def test_the_receivers_of_others_are_not_there(
    connect: Connect, start_front: StartFront, start_host: StartHost, receiver: Receiver, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    (one, first), (two, second) = new_key("alice"), new_key("mallory")
    path.write_text(json.dumps({"keys": [first.model_dump(), second.model_dump()]}))
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.gateway.receiver_rule = ANYWHERE
    front.routes.set(SUPPORT, [(await start_host())[1]])
    mine, theirs = await connect(front, key=one), await connect(front, key=two)
    task = await asked(mine, push=TaskPushNotificationConfig(url=receiver.url))
    everything = ListTaskPushNotificationConfigsRequest(task_id=task.id)
    assert len((await mine.list_task_push_notification_configs(everything)).configs) == 1
    with pytest.raises(TaskNotFoundError):
        await theirs.list_task_push_notification_configs(everything)
    with pytest.raises(TaskNotFoundError):
        await theirs.create_task_push_notification_config(TaskPushNotificationConfig(task_id=task.id, url=receiver.url))
