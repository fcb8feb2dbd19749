"""Who gets in, and whose sessions and runs are whose."""

import json
from pathlib import Path

import aiohttp

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import HEADER, Caller, IdentitySigner
from tests.runtime.gateway.conftest import CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.asking import ask_json
from tests.support.waiting import until_async


async def test_keys_open_the_door_and_can_be_rotated(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    (old, old_entry), (new, new_entry) = new_key("alice"), new_key("alice")
    path.write_text(json.dumps({"keys": [old_entry.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])

    async def ask(**headers: str) -> aiohttp.ClientResponse:
        async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
            await response.read()
            return response

    async def accepted(key: str) -> bool:
        return (await ask(Authorization=f"Bearer {key}")).status == 200

    refused = await ask()
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    problem = await refused.json(content_type=None)
    assert problem["reason"] == "Unauthenticated"
    assert problem["detail"].startswith("X-API-Key was not sent and Authorization was not sent")
    assert (await ask(**{"X-API-Key": old, "Authorization": "Bearer token-of-a-proxy"})).status == 200
    assert await accepted(old)
    assert (await ask(**{"X-API-Key": old})).status == 200
    assert not await accepted(new)
    assert (await front.client.get("/agents")).status == 401
    path.write_text(json.dumps({"keys": [new_entry.model_dump()]}))
    await until_async(lambda: accepted(new), "the new key works")
    assert not await accepted(old)


async def test_a_session_is_its_owners_alone(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    (alice, alices), (bob, bobs) = new_key("alice"), new_key("bob")
    path.write_text(json.dumps({"keys": [alices.model_dump(), bobs.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json=QUESTION, headers={"X-API-Key": alice}) as response:
        answer = await response.json()
    for where in (f"sessions/{answer['session_id']}", f"runs/{answer['run_id']}"):
        for key, status in ((alice, 200), (bob, 404)):
            async with front.client.get(f"/agents/{SUPPORT}/{where}", headers={"X-API-Key": key}) as response:
                assert response.status == status


async def test_agents_of_the_same_name_in_two_namespaces_share_nothing(
    start_front: StartFront, start_host: StartHost
) -> None:
    other = AgentKey("other", "support")
    _, url = await start_host(agents=("demo/support", "other/support"))
    front = await start_front()
    for agent in (SUPPORT, other):
        front.routes.set(agent, [url])
    async with front.client.post(CHAT, json=QUESTION) as response:
        answer = await response.json()
    for where in (f"sessions/{answer['session_id']}", f"runs/{answer['run_id']}"):
        for agent, status in ((SUPPORT, 200), (other, 404)):
            async with front.client.get(f"/agents/{agent}/{where}") as response:
                assert response.status == status


async def test_a_host_believes_nobody_but_the_gateway(front: Front, signer: IdentitySigner) -> None:
    endpoint = front.routes.pick(SUPPORT)
    assert endpoint
    caller = Caller.by_key("alice")
    tokens = {
        "": 401,
        "alice": 401,
        IdentitySigner.generate().sign(caller, str(SUPPORT)): 401,
        signer.sign(caller, "demo/billing"): 401,
        signer.sign(caller, str(SUPPORT)): 200,
    }
    url = f"{endpoint.url}/agents/{SUPPORT}/runs"
    for token, status in tokens.items():
        async with front.client.post(url, json=ask_json("?"), headers={HEADER: token}) as response:
            assert response.status == status


async def test_a_client_cannot_bring_an_identity_along(front: Front, signer: IdentitySigner) -> None:
    headers = {HEADER: signer.sign(Caller.by_key("root"), str(SUPPORT))}
    async with front.client.post(CHAT, json=QUESTION, headers=headers) as response:
        session = (await response.json())["session_id"]
    async with front.client.get(f"/agents/{SUPPORT}/sessions/{session}") as response:
        assert response.status == 200  # it belongs to `anonymous`, who asks here without that header
