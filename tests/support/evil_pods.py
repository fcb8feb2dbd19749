"""Pods that answer what no host answers, each on a port of its own, all in a process of their own."""

import asyncio
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = b"x" * 65_536
CHUNK = b"10000\r\n" + BLOCK + b"\r\n"
COOKIE = b"Set-Cookie: session=stolen\r\nX-Evil: 1\r\nCache-Control: public\r\n"


@dataclass(frozen=True)
class Attack:
    """What a pod sends: the beginning, then the rest again and again. `RUN` becomes the id of the run."""

    start: bytes
    again: bytes = b""


def head(status: str, kind: str, more: bytes = b"") -> bytes:
    """The beginning of an answer, with a body that is chunked or ends with the connection."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n".encode() + more + b"\r\n"


def attacks(target: str) -> dict[str, Attack]:
    """Every attack by its name. `target` is a URL that redirects lead to."""
    json_type, stream, chunked = "application/json", "text/event-stream", b"Transfer-Encoding: chunked\r\n"
    where = f"Location: {target}\r\nContent-Length: 0\r\n".encode()
    delta = b"id: %s\nevent: delta\ndata: {}\n\n"
    return {
        "endless-json": Attack(head("200 OK", json_type, chunked), CHUNK),
        "endless-problem": Attack(head("503 Unavailable", "application/problem+json", chunked), CHUNK),
        "endless-html": Attack(head("200 OK", "text/html", chunked), CHUNK),
        "no-event-end": Attack(head("200 OK", stream), BLOCK),
        "endless-events": Attack(head("200 OK", stream), b":" + BLOCK + b"\n\n"),
        "redirect": Attack(head("307 Temporary Redirect", "text/plain", where)),
        "redirect-of-an-error": Attack(head("302 Found", "application/problem+json", where)),
        "html": Attack(head("200 OK", "text/html", COOKIE) + b"<script>alert(1)</script>"),
        "html-error": Attack(head("404 Not Found", "text/html", COOKIE) + b"<script>alert(1)</script>"),
        "cookie": Attack(head("200 OK", json_type + "; charset=utf-7", COOKIE) + b'{"answer": "x"}'),
        "gzip-bomb": Attack(
            head("200 OK", json_type, b"Content-Encoding: gzip\r\n") + gzip.compress(b"\0" * 100_000_000)
        ),
        "long-header": Attack(b"HTTP/1.1 200 OK\r\nX: ", BLOCK),
        "many-headers": Attack(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n" * 5_000),
        "endless-continue": Attack(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
        "chunk-garbage": Attack(head("200 OK", json_type, chunked) + b"zzzz\r\n{}\r\n"),
        "long-chunk-size": Attack(head("200 OK", json_type, chunked), b"0" * 65_536),
        "tiny-chunks": Attack(head("200 OK", json_type, chunked), b"1\r\nx\r\n" * 10_000),
        "tiny-events": Attack(head("200 OK", stream, chunked), b"1\r\n\n\r\n" * 10_000),
        "tiny-problem": Attack(head("503 Unavailable", "application/problem+json", chunked), b"1\r\nx\r\n" * 10_000),
        "no-http": Attack(b"", BLOCK),
        "switch": Attack(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        "foreign-event": Attack(head("200 OK", stream) + delta % (b"f" * 32 + b".1.1")),
        "split-header": Attack(head("200 OK", stream) + delta % b"RUN.1.1\rX-Slipway-Identity: x"),
    }


async def _listen(attack: Attack) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            run = re.search(rb"[0-9a-f]{32}", request)
            writer.write(attack.start.replace(b"RUN", run[0] if run else b""))
            while attack.again:
                writer.write(attack.again)
                await writer.drain()
            await writer.drain()
            writer.write_eof()
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    return await asyncio.start_server(connected, "127.0.0.1", 0)


async def _serve(target: str) -> None:
    servers = {name: await _listen(attack) for name, attack in attacks(target).items()}
    ports = {name: server.sockets[0].getsockname()[1] for name, server in servers.items()}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


@contextmanager
def evil_pods(target: str) -> Iterator[dict[str, str]]:
    """The pods' URLs by the names of their attacks, for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.support.evil_pods", target]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        ports = json.loads(process.stdout.readline())
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
