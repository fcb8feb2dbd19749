"""Slipway's processes on the loopback interface, and what they say about themselves."""

import asyncio
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.figures import BenchmarkFailed
from slipway_runtime.settings import cache_dir

DEADLINE = 120.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessUsage:
    """What a process has used since its start."""

    cpu: float
    """Seconds."""
    embedding: float
    """Seconds of the CPU time that went into the embedding model."""
    rss: float
    """Resident memory, in MiB."""


@dataclass(frozen=True)
class Running:
    """A process that is ready."""

    url: str
    metrics_url: str = ""

    def usage(self) -> ProcessUsage:
        """Read its metrics."""
        return read_usage(fetch(self.metrics_url))


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with bytecode kept apart from the source tree: images have theirs compiled."""
    return {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(cache_dir() / "benchmarks" / "bytecode"),
        **more,
    }


def read_usage(metrics: str) -> ProcessUsage:
    """What the text of /metrics says."""
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if not sample.labels
    }
    return ProcessUsage(
        cpu=samples["process_cpu_seconds_total"],
        embedding=samples.get("slipway_embedding_cpu_seconds_total", 0.0),
        rss=samples["process_resident_memory_bytes"] / 2**20,
    )


def fetch(url: str) -> str:
    """The body behind a URL of ours."""
    with urllib.request.urlopen(url, timeout=30) as response:
        body: bytes = response.read()
    return body.decode()


def answers(url: str) -> bool:
    """Whether the URL answers with success."""
    try:
        fetch(url)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return True


def is_ready(url: str) -> bool:
    """Whether /readyz says so."""
    return answers(f"{url}/readyz")


@asynccontextmanager
async def running(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    url: str,
    log: Path,
    metrics_port: int | None = None,
    ready: Callable[[str], bool] = is_ready,
    deadline: float = DEADLINE,
) -> AsyncIterator[Running]:
    """A process, from the moment that it is ready; stopped at the end. `ready` is given its URL.

    Args:
        metrics_port: where its /metrics is, if it is to be asked for its usage.
        deadline: seconds that it may take until it is ready.

    Raises:
        BenchmarkFailed: with the end of its log, if it does not become ready.
    """
    process = start(command, env=env, log=log)
    try:
        await _until(lambda: ready(url), process, log, seconds=deadline)
        yield Running(url, f"http://127.0.0.1:{metrics_port}/metrics" if metrics_port else "")
    finally:
        await asyncio.to_thread(stop, process)


def start(command: Sequence[str], *, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that writes to a log."""
    with log.open("wb") as output:
        return subprocess.Popen(command, env=dict(env), stdout=output, stderr=subprocess.STDOUT)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process politely, and otherwise if that takes too long."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, *, seconds: float = DEADLINE
) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline and process.poll() is None:
        if await asyncio.to_thread(ready):
            return
        await asyncio.sleep(POLL_SECONDS)
    raise BenchmarkFailed(f"{' '.join(map(str, process.args))} did not become ready: {tail(log)}")  # type: ignore[arg-type]


def tail(log: Path) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-2000:]
