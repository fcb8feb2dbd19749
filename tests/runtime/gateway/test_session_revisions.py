"""A conversation stays with the revision of its agent that it has, for as long as that answers."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from slipway_runtime.events import Started
from slipway_runtime.protocols.headers import RETIRING_HEADER, REVISION_HEADER
from tests.runtime.gateway.conftest import CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.chat import STREAM, transcribe
from tests.support.serving import served


async def ask(front: Front, **more: object) -> tuple[str, str]:
    """The session and the revision that answered."""
    async with front.client.post(CHAT, json={**QUESTION, **more}, headers=STREAM) as response:
        started = (await transcribe(response)).events[0][1]
    assert isinstance(started, Started)
    return str(started.session_id), str(started.revision)


@pytest.fixture
async def two(start_host: StartHost) -> tuple[tuple[str, str], tuple[str, str]]:
    """Name and URL of two revisions of one agent, over one store."""
    found = []
    for timeout in (60, 61):
        host, url = await start_host(request_timeout=timeout, name=f"host-{timeout}")
        found.append((host.runs.agents[str(SUPPORT)].revision, url))
    return found[0], found[1]


async def test_it_stays_while_the_revision_exists(
    start_front: StartFront, two: tuple[tuple[str, str], tuple[str, str]]
) -> None:
    (old, old_url), (new, new_url) = two
    front = await start_front()
    front.routes.set(SUPPORT, [old_url])
    session, revision = await ask(front)
    assert revision == old
    front.routes.set(SUPPORT, [new_url], retiring={old: [old_url]})
    assert await ask(front, session_id=session) == (session, old)
    fresh, revision = await ask(front)
    assert revision == new, "new conversations get the new revision"
    assert await ask(front, session_id=fresh) == (fresh, new)
    front.routes.set(SUPPORT, [new_url])
    assert await ask(front, session_id=session) == (session, new)
    front.routes.set(SUPPORT, [new_url], retiring={old: [old_url]})
    assert await ask(front, session_id=session) == (session, new), "it has moved for good"


async def test_a_revision_whose_pods_do_not_answer_is_gone(
    start_front: StartFront, two: tuple[tuple[str, str], tuple[str, str]]
) -> None:
    (old, old_url), (new, new_url) = two
    front = await start_front()
    front.routes.set(SUPPORT, [old_url])
    session, _ = await ask(front)
    front.routes.set(SUPPORT, [new_url], retiring={old: ["http://127.0.0.1:1"]})
    assert await ask(front, session_id=session) == (session, new)


async def test_a_full_revision_keeps_its_session(start_front: StartFront, start_host: StartHost) -> None:
    front = await start_front()
    _, old_url = await start_host(name="old", in_flight=1, delta_delay=0.05)
    _, new_url = await start_host(name="new", request_timeout=61)
    front.routes.set(SUPPORT, [old_url])
    session, old = await ask(front)
    async with front.client.post(CHAT, json={"question": "say 600 words"}, headers=STREAM):
        front.routes.set(SUPPORT, [new_url], retiring={old: [old_url]})
        async with front.client.post(CHAT, json={**QUESTION, "session_id": session}) as response:
            assert (response.status, (await response.json())["reason"]) == (429, "Overloaded")


async def test_pods_that_send_questions_elsewhere_for_ever_are_given_up(start_front: StartFront) -> None:
    """A tenant's pod may say what it likes: the gateway believes one redirection of each question."""
    seen: list[str | None] = []

    async def elsewhere(request: Request) -> Response:
        seen.append(request.headers.get(RETIRING_HEADER))
        return Response(status_code=421, headers={REVISION_HEADER: "r1"})

    app = Starlette(routes=[Route("/{path:path}", elsewhere, methods=["GET", "POST"])])
    front = await start_front(hold_seconds=0)
    async with served(app) as url, served(app) as other:
        front.routes.set(SUPPORT, [url], retiring={"r1": [other]})
        async with front.client.post(CHAT, json=QUESTION) as response:
            assert response.status in (502, 503), await response.text()
    assert seen[:2] == ["r1", "r1"]
    assert len(seen) < 10
