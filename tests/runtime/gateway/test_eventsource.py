"""A browser's client of event streams connects again after every end, with the last id, until it gets a 204."""

from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front
from tests.support.chat import STREAM, events
from tests.support.eventsource_client import follow


async def test_an_eventsource_client_stops_after_the_last_event(front: Front) -> None:
    async with front.client.post(CHAT, json={"question": "say 2 words"}, headers=STREAM) as response:
        ids = [str(number) async for number, _ in events(response)]
    seen = await follow(f"{front.url}/agents/{SUPPORT}/runs/{ids[0].partition('.')[0]}")
    assert [each["id"] for each in seen if "event" in each] == ids
    connections = [each for each in seen if "status" in each]
    assert connections == [{"status": 200, "from": None}, {"status": 204, "from": ids[-1]}]
    assert seen[-1] == {"stopped": True}


async def test_a_204_has_neither_a_body_nor_its_length(front: Front) -> None:
    async with front.client.post(CHAT, json={"question": "say 2 words"}, headers=STREAM) as response:
        last = [number async for number, _ in events(response)][-1]
    path, headers = f"/agents/{SUPPORT}/runs/{last.run}", {**STREAM, "Last-Event-ID": str(last)}
    async with front.client.get(path, headers=headers) as response:
        framing = {"Content-Length", "Transfer-Encoding", "Content-Type"} & set(response.headers)
        assert (response.status, framing, await response.read()) == (204, set(), b"")
