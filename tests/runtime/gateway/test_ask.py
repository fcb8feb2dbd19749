"""`slipway ask` against a real gateway: an answer, a stream, or words that say what is wrong."""

import asyncio
import json
from pathlib import Path

import pytest

from slipway_runtime.ask import ANSWERED, FAILED, Asking, main
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentKey
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.scripted_host import words
from tests.support.servers import free_port

ANSWER = "".join(words(5)).strip()
Capture = pytest.CaptureFixture[str]


async def ask(url: str, *, question: str = "say 5 words", **how: object) -> int:
    return await asyncio.to_thread(main, Asking(question=question, url=url, **how))  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "as it comes"])
async def test_an_answer_and_how_to_go_on(front: Front, capsys: Capture, stream: bool) -> None:
    assert await ask(front.url, stream=stream) == ANSWERED
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == ANSWER
    session = lines[-1].split()[-1]
    assert await ask(front.url, agent="demo/support", session=session) == ANSWERED
    async with front.client.get(f"/agents/{SUPPORT}/sessions/{session}") as response:
        assert len((await response.json())["turns"]) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "as it comes"])
async def test_an_answer_does_not_control_the_terminal(front: Front, capsys: Capture, stream: bool) -> None:
    hostile = "\x1b]0;owned\x07\x9b2J\u202etxt"
    assert await ask(front.url, question=f"{hostile} 4 words echo", stream=stream) == ANSWERED
    printed = capsys.readouterr().out
    assert "]0;owned2Jtxt" in printed
    assert not set(hostile) & {"\x1b", "\x07", "\x9b", "\u202e"} & set(printed)


async def test_a_refusal_does_not_control_the_terminal(front: Front, capsys: Capture) -> None:
    async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"reason": "No\x1b[2J", "detail": "pe\x07"}).encode()
        writer.write(b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hostile, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await ask(f"http://127.0.0.1:{port}", agent="demo/support") == FAILED
    assert capsys.readouterr().err.splitlines() == ["No[2J: pe"]


async def test_with_several_agents_one_must_be_named(front: Front, capsys: Capture) -> None:
    front.routes.set(AgentKey("demo", "billing"), [])
    assert await ask(front.url) == FAILED
    assert "demo/billing, demo/support" in capsys.readouterr().err


@pytest.mark.parametrize(("key", "code"), [(None, FAILED), ("right", ANSWERED), ("wrong", FAILED)])
async def test_a_key_is_asked_for(
    start_front: StartFront, start_host: StartHost, tmp_path: Path, capsys: Capture, key: str | None, code: int
) -> None:
    right, entry = new_key("alice")
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [entry.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])
    assert await ask(front.url, key=right if key == "right" else key) == code
    assert ("Unauthenticated" in capsys.readouterr().err) is (code == FAILED)


async def test_a_gateway_that_is_silent_is_not_waited_for_without_end(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr("slipway_runtime.ask.TIMEOUT_SECONDS", 0.2)
    async with await asyncio.start_server(listen, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        assert await ask(f"http://127.0.0.1:{port}") == FAILED
    assert "did not answer within 0.2 s" in capsys.readouterr().err


async def test_what_is_refused_is_said_in_the_gateways_words(front: Front, capsys: Capture) -> None:
    assert await ask(front.url, question=" ", agent="demo/support") == FAILED
    assert "InvalidRequest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"url": "127.0.0.1:51979"}, "'127.0.0.1:51979' is not a gateway's URL: write --url like http://"),
        ({"url": "localhost:51979"}, "write --url like http://"),
        ({"url": "http://"}, "write --url like http://"),
        ({"url": ""}, "write --url like http://"),
        ({"url": "http://[::1"}, "Invalid IPv6 URL"),
        ({"url": "ftp://there"}, "with http:// or https:// and a host"),
        ({"url": "http://me@there", "key": "k"}, "drop one"),
        ({"key": "a\nb"}, "`slipway keys new`"),
        ({"key": "a\x01b"}, "`slipway keys new`"),
        ({"key": "\udc80"}, "`slipway keys new`"),
        ({"agent": "nope"}, "'nope' is not an agent: write it as namespace/name"),
        ({"agent": "a/b/c"}, "write it as namespace/name"),
    ],
)
async def test_an_option_that_cannot_be_meant_is_one_line_before_anything_is_asked(
    capsys: Capture, how: dict[str, str], says: str
) -> None:
    assert await ask(**{"url": "http://127.0.0.1:1", **how}) == FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


async def test_a_gateway_below_a_path_is_asked_there(front: Front, capsys: Capture) -> None:
    assert await ask(f"{front.url}/", agent="demo/support") == ANSWERED
    assert await ask(f"{front.url}/below", agent="demo/support") == FAILED
    assert "NotFound" in capsys.readouterr().err


async def test_nobody_there(capsys: Capture) -> None:
    assert await ask(f"http://127.0.0.1:{free_port()}") == FAILED
    assert "is the gateway running there?" in capsys.readouterr().err
