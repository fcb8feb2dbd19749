"""One suite, two drivers: `slipway dev` as a process here, or a gateway in a cluster.

The cluster's gateway is the one that `SLIPWAY_BLACKBOX_URL` and `SLIPWAY_BLACKBOX_KEY` name, or else the one of the
cluster that the tests start (fixture `cluster_gateway`, with `url` and `key`).
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml

from slipway_runtime.settings import cache_dir
from slipway_runtime.store.migrations import schema

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT / "examples" / "handbook"
AGENT = "demo/handbook"
START_SECONDS = 600.0
"""An empty data folder means that the handbook is embedded first."""
DELTA_DELAY = 0.1
"""Seconds between two pieces of an answer, so that a stream can be left in the middle."""


@dataclass(frozen=True)
class Target:
    """The gateway under test. Without a key it is an open one."""

    url: str
    key: str | None = None


@pytest.fixture(scope="session", params=["local", pytest.param("cluster", marks=pytest.mark.cluster)])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The gateway under test, serving `examples/handbook`."""
    if request.param == "local":
        with _local(tmp_path_factory.mktemp("dev")) as local:
            yield local
    elif url := os.environ.get("SLIPWAY_BLACKBOX_URL"):
        yield Target(url, os.environ.get("SLIPWAY_BLACKBOX_KEY"))
    else:
        request.getfixturevalue("whole_handbook")
        gateway = request.getfixturevalue("cluster_gateway")
        yield Target(gateway.url, gateway.key)


@contextmanager
def _local(folder: Path) -> Iterator[Target]:
    with _data(folder) as data, _serving(data, folder / "dev.log") as url:
        yield Target(url)


@contextmanager
def _serving(data: Path, log: Path) -> Iterator[str]:
    """URL of `slipway dev`."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("slipway"),
        "dev",
        "-f",
        HANDBOOK,
        "--port",
        "0",
        "--data",
        data,
    ]
    environment = {**os.environ, "SLIPWAY_TEST_DELTA_DELAY": str(DELTA_DELAY), "COLUMNS": "200"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield _wait_for_url(process, log)
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()


@contextmanager
def _data(folder: Path) -> Iterator[Path]:
    """A data folder in `folder`, with the handbook's index in it.

    It is a copy of one that is kept between runs, for each set of tables. Workers that start at the same time wait for
    the first of them to bring that one up to date, which embeds only the documents that changed.
    """
    kept = cache_dir() / "tests" / f"blackbox-{hashlib.sha256(schema().encode()).hexdigest()[:16]}"
    kept.mkdir(parents=True, exist_ok=True)
    read = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HANDBOOK.glob("*.yaml")))).hexdigest()
    current = kept / "current"
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not current.exists() or current.read_text() != read:
            current.unlink(missing_ok=True)
            with _serving(kept / "data", kept / "dev.log"):
                current.write_text(read)
        shutil.copytree(kept / "data", folder / "data")
    yield folder / "data"


def _wait_for_url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"serving at (http://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"slipway dev did not come up: {log.read_text()[-2000:]}")


@pytest.fixture
async def client(target: Target) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the gateway, with its key."""
    headers = {"Authorization": f"Bearer {target.key}"} if target.key else {}
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(target.url, headers=headers, timeout=timeout) as session:
        yield session


@pytest.fixture(scope="session")
def documents() -> dict[str, str]:
    """Text of every document of the handbook, by name, from the manifests."""
    texts: dict[str, str] = {}
    for path in sorted(HANDBOOK.glob("documents-*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            texts |= manifest["data"]
    assert texts
    return texts


@pytest.fixture(scope="session")
def questions() -> dict[str, list[str]]:
    """The questions of the handbook's cases, by kind."""
    cases = yaml.safe_load(yaml.safe_load((HANDBOOK / "cases.yaml").read_text())["data"]["cases.yaml"])["cases"]
    kinds: dict[str, list[str]] = {}
    for case in cases:
        kinds.setdefault(case["kind"], []).append(case["question"])
    return kinds
