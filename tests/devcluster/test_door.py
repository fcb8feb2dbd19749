"""The door itself: what goes in comes out, ends and breaks are passed on, and many connections fit at once.

It dials in our own network namespace here, which needs root like any other namespace does.
"""

import asyncio
import os
import resource
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from devcluster import binaries, doors, recipes
from devcluster.records import any_port

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter a network namespace"),
]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def door_to(handler: Handler) -> AsyncIterator[int]:
    """The port of a door that leads to a server with that handler."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=4096)
    target = server.sockets[0].getsockname()[1]
    async with door(target) as port:
        yield port
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def door(target: int) -> AsyncIterator[int]:
    """The port of a door that leads to another port of this machine."""
    port = any_port()
    binary = await asyncio.to_thread(binaries.ensure, recipes.DOOR)
    arguments = ("-namespace=/proc/self/ns/net", f"-listen=127.0.0.1:{port}", f"-to=127.0.0.1:{target}")
    process = await asyncio.create_subprocess_exec(binary, *arguments, stderr=subprocess.PIPE)
    assert process.stderr
    line = await asyncio.wait_for(process.stderr.readline(), 10)
    assert b"leads to" in line
    try:
        yield port
    finally:
        process.terminate()
        await process.communicate()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as this machine allows: a connection takes two in this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_megabytes_come_back_unchanged() -> None:
    sent = os.urandom(8 * 2**20)
    async with door_to(_echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        received = asyncio.create_task(reader.readexactly(len(sent)))
        writer.write(sent)
        assert await asyncio.wait_for(received, 30) == sent
        writer.close()
        await writer.wait_closed()


async def test_an_answer_streams_on_after_the_question_has_ended() -> None:
    async def answer_after_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read()  # to the end, which the door must pass on
        for word in question.split():
            writer.write(b"data: " + word + b"\n")
            await writer.drain()
        writer.close()

    async with door_to(answer_after_the_end) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"one two three")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b"data: one\ndata: two\ndata: three\n"
        writer.close()
        await writer.wait_closed()


async def test_a_server_that_breaks_off_is_not_taken_for_one_that_has_finished() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"half an ans")
        await writer.drain()
        await reader.readexactly(4)  # the client has the half
        _reset(writer)

    async with door_to(break_off) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readexactly(11) == b"half an ans"
        writer.write(b"seen")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 10)
        writer.transport.abort()


async def test_a_client_that_goes_away_is_seen_by_the_server() -> None:
    gone = asyncio.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        try:
            await reader.read()
        except ConnectionResetError:
            gone.set()
        writer.transport.abort()

    async with door_to(wait_for_the_end) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readexactly(1) == b"x"
        _reset(writer)
        await asyncio.wait_for(gone.wait(), 10)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset, as a crash does."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_door_to_nowhere_breaks_off() -> None:
    async with door(target=any_port()) as port:
        with pytest.raises(ConnectionResetError):
            await _read_all(port)


async def _read_all(port: int) -> None:
    """Connect and read. A door to nowhere resets the connection, sometimes before it is seen to be open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.transport.abort()


@pytest.mark.usefixtures("many_files")
async def test_a_thousand_connections_are_open_at_once() -> None:
    async with door_to(_echo) as port:
        streams = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(1000)))
        for number, (_, writer) in enumerate(streams):
            writer.write(b"%04d" % number)
        answers = await asyncio.wait_for(asyncio.gather(*(reader.readexactly(4) for reader, _ in streams)), 60)
        assert answers == [b"%04d" % number for number in range(1000)]
        for _, writer in streams:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in streams))


async def test_listening_is_told_from_not_listening() -> None:
    async with door_to(_echo) as port:
        assert await asyncio.to_thread(doors.listening, port)
    assert not await asyncio.to_thread(doors.listening, port)


@pytest.mark.parametrize(
    "arguments", [[], ["-namespace=/proc/self/ns/net", "-listen=127.0.0.1:0", "-to=nowhere"], ["-to=127.0.0.1:1"]]
)
def test_missing_or_wrong_arguments_are_refused(arguments: list[str]) -> None:
    done = subprocess.run([binaries.ensure(recipes.DOOR), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "give -namespace FILE -listen ADDRESS:PORT -to ADDRESS:PORT" in done.stderr
