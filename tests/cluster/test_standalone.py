"""The image for where there is no cluster, as a container of its own."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from devcluster import checks
from devcluster.commands import run
from devcluster.records import any_port
from slipway_demo import builders
from slipway_demo.images import STANDALONE
from slipway_runtime.gateway.auth import CallerKeyFile, new_key
from tests.support import operator_manifests as manifests
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster

USER = 65532
DRAINS = {"question": "What does a pod that drains do?"}


@pytest.fixture(scope="module")
def image() -> str:
    """Its name, built if need be."""
    checks.ensure(install=True)
    (tag,) = builders.ensure(builders.Buildah(), (STANDALONE,)).values()
    return builders.local_reference(STANDALONE.name, tag)


@pytest.fixture
def container(image: str) -> Iterator[str]:
    """A container made of it."""
    name = run(["buildah", "from", "--pull-never", image]).strip()
    yield name
    run(["buildah", "rm", name])


@dataclass(frozen=True)
class Served:
    """A container that serves: its process here, its port, and a key that it knows."""

    process: subprocess.Popen[bytes]
    port: int
    key: str
    log: Path


@pytest.fixture
def served(container: str, tmp_path: Path) -> Iterator[Served]:
    """The container over a folder of manifests."""
    key, entry = new_key("tests")
    folders = {name: tmp_path / name for name in ("manifests", "keys", "data")}
    for folder in folders.values():
        folder.mkdir()
        os.chown(folder, USER, USER)
    (folders["keys"] / "keys.json").write_text(CallerKeyFile(keys=(entry,)).model_dump_json())
    for manifest in (manifests.documents("demo"), manifests.index("demo"), manifests.agent("demo")):
        (folders["manifests"] / f"{manifest['kind']}.json".lower()).write_text(json.dumps(manifest))
    about = json.loads(run(["buildah", "inspect", container]))["OCIv1"]["config"]
    port, log = any_port(), tmp_path / "log"
    volumes = [f"--volume={folder}:/{name}" for name, folder in folders.items()]
    words = [*about["Entrypoint"], *about["Cmd"], f"--port={port}"]
    with log.open("wb") as output:
        command = ["buildah", "run", "--isolation=chroot", *volumes, container, "--", *words]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    yield Served(process, port, key, log)
    process.terminate()
    process.wait(30)


async def test_it_answers_from_a_folder_of_manifests_whom_it_knows(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}"
    known = {"Authorization": f"Bearer {served.key}", "Host": "agents.example.com"}
    async with aiohttp.ClientSession(url) as client:

        async def answers() -> bool:
            assert served.process.poll() is None, served.log.read_text()
            try:
                async with client.post("/agent/chat", json=DRAINS, headers=known) as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await until_async(answers, "it serves", deadline=120)
        async with client.post("/agent/chat", json=DRAINS, headers=known) as response:
            answer = await response.json()
        assert "It finishes what it has and then goes away." in answer["answer"]
        assert answer["sources"]
        guess = {**known, "Authorization": "Bearer slipway-guess"}
        async with client.post("/agent/chat", json=DRAINS, headers=guess) as response:
            assert (response.status, (await response.json())["reason"]) == (401, "Unauthenticated")
    await _asks_by_mcp(f"{url}/mcp", known)


async def _asks_by_mcp(url: str, headers: dict[str, str]) -> None:
    """The server of all agents is there too, by the name under which the container is reached from outside."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        (ask,) = [tool.name for tool in (await client.list_tools()).tools if tool.name.endswith("__ask")]
        answer = await client.call_tool(ask, DRAINS)
    assert not answer.is_error
    assert "It finishes what it has and then goes away." in str(answer.content)
