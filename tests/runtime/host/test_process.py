"""A host as a process: it drains on SIGTERM, and what it was killed over goes on elsewhere."""

import asyncio
import signal
from pathlib import Path

import aiohttp

from slipway_runtime.identity import HEADER, Caller
from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.serving import LINGER_SECONDS
from tests.support.asking import ask_json, chat_answer
from tests.support.host_process import host_process
from tests.support.scripted_host import words
from tests.support.scripts import AGENT, SIGNER
from tests.support.waiting import until_async

RUNS = f"/agents/{AGENT}/runs"
WORDS = 30
QUESTION = ask_json(f"Say {WORDS} words")
ANSWER = "".join(words(WORDS))


def headers() -> dict[str, str]:
    return {HEADER: SIGNER.sign(Caller.by_key("alice"), AGENT)}


async def event_lines(response: aiohttp.ClientResponse, kind: str) -> list[str]:
    """The `id:` or `event:` lines of a stream, up to its end or its breaking."""
    lines: list[str] = []
    try:
        async for line in response.content:
            if line.startswith(kind.encode()):
                lines.append(line.decode().split()[1])
    except aiohttp.ClientError:
        pass
    return lines


async def test_on_sigterm_it_finishes_what_it_has(tmp_path: Path, dsn: str) -> None:
    # Long enough for the streams to outlast the time in which a host lingers whether it has something to do or not.
    with host_process(tmp_path, dsn, SLIPWAY_TEST_DELTA_DELAY=str(2 * LINGER_SECONDS / WORDS)) as host:
        async with aiohttp.ClientSession(host.url) as session:
            streams = [await session.post(RUNS, json=QUESTION, headers=headers()) for _ in range(3)]
            host.process.send_signal(signal.SIGTERM)

            async def draining() -> bool:
                async with session.get("/readyz") as response:
                    return response.status == 503

            await until_async(draining, "it says that it is not ready")
            async with session.post(RUNS, json=QUESTION, headers=headers()) as refused:
                assert (refused.status, (await refused.json())["reason"]) == (503, "Draining")
                assert refused.headers["retry-after"]
            for stream in streams:
                async with stream:
                    events = await event_lines(stream, "event:")
                assert events == ["started", "retrieved", *["delta"] * WORDS, "usage", "done"]
        assert await asyncio.to_thread(host.process.wait, 30) == 0


async def test_what_it_was_killed_over_goes_on_elsewhere(tmp_path: Path, dsn: str) -> None:
    with host_process(tmp_path, dsn, name="second") as second:
        with host_process(tmp_path, dsn, name="first", SLIPWAY_TEST_DELTA_DELAY="0.05") as first:
            async with (
                aiohttp.ClientSession(first.url) as session,
                session.post(RUNS, json=QUESTION, headers=headers()) as stream,
            ):
                await stream.content.readuntil(b"event: delta")
                run = stream.headers[RUN_HEADER]
                first.process.kill()
                seen = [f"{run}.1.1", *await event_lines(stream, "id:")][-1]
        async with aiohttp.ClientSession(second.url) as session:
            path = f"/agents/{AGENT}/runs/{run}"
            async with session.get(path, headers={**headers(), "last-event-id": seen}) as response:
                ids = await event_lines(response, "id:")
            async with session.get(f"{path}?watch=false", headers=headers()) as response:
                status, body, _ = chat_answer(run, await response.read())
                assert (status, body["answer"]) == (200, ANSWER)
    assert len(ids) == len(set(ids))
    assert seen not in ids
    assert ids[-1].startswith(f"{run}.2.")
