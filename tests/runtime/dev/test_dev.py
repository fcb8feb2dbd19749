"""`slipway dev` as a process: it answers, follows its manifests, and survives bad ones."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_runtime.dev.listening import bound
from slipway_runtime.dev.main import Front, is_manifest, main, reach
from slipway_runtime.events import Done
from slipway_runtime.gateway.auth import CallerKeyFile, new_key
from tests.support.chat import STREAM, events
from tests.support.dev_process import DevProcess
from tests.support.raw_http import exchange
from tests.support.waiting import until, until_async

MANIFESTS = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {{name: zoo, namespace: demo}}
spec:
  backend: {{chroma: {{}}}}
  sources: [{{name: docs, configMap: {{name: docs}}}}]
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: keeper, namespace: demo}}
spec:
  knowledge: [{{name: zoo, indexRef: {{name: zoo}}, minScore: "{min_score}"}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: docs, namespace: demo}}
data:
  zoo.md: |
    # Zoo
    The elephant is called {elephant}. She eats hay in the morning. She sleeps in the north house.
"""
QUESTION = {"question": "What is the elephant called?"}


class Dev(DevProcess):
    """The process over the manifests above."""

    def write(self, *, elephant: str = "Rosa", min_score: str = "0.2") -> None:
        self.replace(MANIFESTS.format(elephant=elephant, min_score=min_score))


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """One process for all tests: each of them says first what the manifests are."""
    dev = Dev(tmp_path_factory.mktemp("dev"), "--port", "0", SLIPWAY_TEST_DELTA_DELAY="0.3")
    dev.write()
    dev.start()
    yield dev
    if dev.process:
        dev.process.kill()
        dev.process.wait()


@pytest.fixture
async def client(dev: Dev) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(await dev.url()) as client:
        dev.write()
        await becomes(client, "Rosa")
        yield client


async def answer(client: aiohttp.ClientSession) -> str:
    async with client.post("/agent/chat", json=QUESTION) as response:
        assert response.status == 200, await response.text()
        text: str = (await response.json())["answer"]
        return text


async def becomes(client: aiohttp.ClientSession, word: str) -> None:
    async def answered() -> bool:
        async with client.post("/agent/chat", json=QUESTION) as response:
            return response.status == 200 and word in (await response.json())["answer"]

    await until_async(answered, f"the answer has {word}")


async def test_a_changed_document_is_answered_from_and_open_streams_go_on(
    dev: Dev, client: aiohttp.ClientSession
) -> None:
    async with client.post("/agent/chat", json=QUESTION, headers=STREAM) as response:
        stream = events(response)
        await anext(stream)
        dev.write(elephant="Tuffi")
        last = [event async for _, event in stream][-1]
    assert isinstance(last, Done)
    assert "called" in last.answer
    await becomes(client, "Tuffi")


async def test_a_changed_agent_answers_by_its_new_spec(dev: Dev, client: aiohttp.ClientSession) -> None:
    dev.write(min_score="0.9999")
    await becomes(client, "do not answer")


async def test_bad_manifests_leave_everything_as_it_is(dev: Dev, client: aiohttp.ClientSession) -> None:
    dev.replace(MANIFESTS.format(elephant="Tuffi", min_score="high"))
    await until(lambda: dev.says("spec.knowledge.0..minScore"), "the field is named")
    assert "Rosa" in await answer(client)
    dev.replace("a: [")
    await until(lambda: dev.says("this is not YAML"), "the file is named")
    assert "Rosa" in await answer(client)
    dev.write()
    await until(lambda: dev.says("the manifests are again what is served"), "the mistake is over")
    dev.write(elephant="Tuffi")
    await becomes(client, "Tuffi")


async def test_objects_may_come_in_any_order_and_go_again(dev: Dev, client: aiohttp.ClientSession) -> None:
    whole = (
        MANIFESTS.format(elephant="Hannibal", min_score="0.2").replace("zoo", "menagerie").replace("keeper", "warden")
    )
    index, agent, documents = whole.split("---")

    async def asked() -> str:
        async with client.post("/agents/demo/warden/chat", json=QUESTION) as response:
            answer = await response.json(content_type=None)
            return str(answer.get("reason") or answer["answer"])

    async def says(word: str) -> None:
        async def said() -> bool:
            return word in await asked()

        await until_async(said, f"warden says {word}")

    dev.replace(agent)
    await until(lambda: dev.says("there is no VectorIndex menagerie"), "the missing index is named")
    assert await asked() == "AgentNotFound"
    dev.replace("---".join([agent, index]))
    await says("IndexNotReady")
    dev.replace("---".join([agent, index, documents]))
    await says("Hannibal")
    dev.replace("---".join([index, documents]))
    await says("AgentNotFound")


async def test_documents_that_cannot_be_ingested_leave_the_last_good_ones(
    dev: Dev, client: aiohttp.ClientSession
) -> None:
    start, _ = MANIFESTS.format(elephant="Tuffi", min_score="0.2").split("\ndata:")
    told = "index demo/zoo was not ingested"
    dev.replace(start + '\ndata: {empty.md: ""}')
    await until(lambda: dev.says(told), "the failure is reported")
    assert "Rosa" in await answer(client)
    dev.replace(start + '\ndata: {empty.md: ""}')
    await until(lambda: dev.says(f"(?s){told}.*save a file again to try once more.*{told}"), "it is tried again")


async def test_it_is_open_to_this_machine_by_its_own_name_only(client: aiohttp.ClientSession) -> None:
    for host, status in (("127.0.0.1", 200), ("localhost:1234", 200), ("docs.example.com", 400), ("", 400)):
        async with client.get("/agents", headers={"Host": host}) as response:
            assert response.status == status
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
            if status == 400:
                assert (await response.json(content_type="application/problem+json"))["reason"] == "MalformedRequest"


async def test_a_second_one_on_the_same_folder_is_refused(
    dev: Dev, client: aiohttp.ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await client.get("/livez")).status == 200
    assert main([dev.manifest.parent], front=Front(0), data=dev.data) == 1
    assert "--data" in capsys.readouterr().out


async def test_what_was_ingested_is_not_ingested_again_and_sessions_are_kept(
    dev: Dev, client: aiohttp.ClientSession
) -> None:
    async with client.post("/agent/chat", json=QUESTION) as response:
        session = (await response.json())["session_id"]
    assert await asyncio.to_thread(dev.stop) == 0
    dev.start()
    async with aiohttp.ClientSession(await dev.url()) as again:
        async with again.get(f"/agents/demo/keeper/sessions/{session}") as response:
            assert [turn["question"] for turn in (await response.json())["turns"]] == [QUESTION["question"]]
        assert "Rosa" in await answer(again)
    assert "ingesting" not in dev.log.read_text()


def test_what_cannot_be_served_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "all.yaml").write_text(MANIFESTS.format(elephant="Rosa", min_score="high"))
    assert main([tmp_path], front=Front(0), data=tmp_path / "data") == 1
    assert "spec.knowledge[0].minScore" in capsys.readouterr().out


def test_a_port_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "all.yaml").write_text(MANIFESTS.format(elephant="Rosa", min_score="0.2"))
    with bound(0) as taken:
        assert main([tmp_path], front=Front(taken.getsockname()[1]), data=tmp_path / "data") == 1
    assert "--port" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("a/x.yaml", True),
        ("a/x.json", True),
        ("a/.x.yaml.swp", False),
        ("a/b/x.yaml", False),
        ("b/y.yaml", True),
        ("b/z.yaml", False),
    ],
)
def test_which_changes_matter(tmp_path: Path, path: str, ours: bool) -> None:
    for folder in ("a/b", "b"):
        (tmp_path / folder).mkdir(parents=True)
    assert is_manifest(tmp_path / path, [tmp_path / "a", tmp_path / "b" / "y.yaml"]) is ours


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("127.0.0.1", "open to this machine alone, with an API key"),
        ("::1", "open to this machine alone, with an API key"),
        ("::", "open to every machine that can reach this one, with an API key"),
        ("192.0.2.1", "open to every machine that can reach 192.0.2.1, with an API key"),
    ],
)
def test_it_says_who_can_reach_it(host: str, says: str) -> None:
    assert reach(Front(0, host=host, keys=Path("keys.json"))) == says


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "0.0.0.0"}, "give --keys FILE as well"),
        ({"host": "::"}, "give --keys FILE as well"),
        ({"host": "everywhere"}, "write 0.0.0.0"),
        ({"allowed_origins": ("localhost:3000",)}, "write it as http://localhost:3000"),
        ({"allowed_origins": ("*",)}, "write it as http://localhost:3000"),
        ({"keys": Path("missing.json")}, "the file of API keys cannot be read"),
    ],
)
def test_a_gateway_for_everybody_or_nobody_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: dict[str, Any], words: str
) -> None:
    assert main([tmp_path], front=Front(0, **options), data=tmp_path / "data") == 1
    assert words in " ".join(capfd.readouterr().out.split())


async def test_what_comes_in_is_bounded_as_in_a_cluster(dev: Dev) -> None:
    endless = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 50_000
    assert (await exchange(await dev.url(), endless)).refusal == (431, "HeadersTooLarge")


async def test_a_page_of_another_origin_is_refused_with_the_option_that_lets_it_ask(dev: Dev) -> None:
    async with aiohttp.ClientSession(await dev.url(), headers={"Origin": "http://localhost:3000"}) as page:
        rpc = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        for path, body in (("/agent/chat", QUESTION), ("/mcp", rpc)):
            async with page.post(path, json=body) as response:
                said = await response.text()
            assert response.status == 403, said
            assert "may not ask: start slipway dev with --allow-origin" in said


async def test_with_keys_other_names_are_answered_and_only_callers_with_a_key(tmp_path: Path) -> None:
    key, entry = new_key("ci")
    keys = tmp_path / "keys.json"
    keys.write_text(CallerKeyFile(keys=(entry,)).model_dump_json())
    page = "http://localhost:3000"
    dev = Dev(tmp_path, "--port", "0", "--host", "0.0.0.0", "--keys", str(keys), "--allow-origin", page)
    dev.write()
    dev.start()
    try:
        async with aiohttp.ClientSession(await dev.url(), headers={"Host": "agents.example.com"}) as stranger:
            async with stranger.get("/readyz", headers={"Origin": page}) as response:
                assert response.status == 200
                assert response.headers["Access-Control-Allow-Origin"] == page
            async with stranger.post("/agent/chat", json=QUESTION) as response:
                assert (response.status, (await response.json())["reason"]) == (401, "Unauthenticated")
            allowed = {"Authorization": f"Bearer {key}"}
            async with stranger.post("/agent/chat", json=QUESTION, headers=allowed) as response:
                assert response.status == 200, await response.text()
                assert "Rosa" in (await response.json())["answer"]
        await until(lambda: dev.says('"message":"request"'), "the access log")
        for field in ('"caller":"ci"', '"path":"/agent/chat"', '"agent":"demo/keeper"', '"cause":"'):
            assert dev.says(field), field
        assert key not in dev.log.read_text()
        assert dev.says("open to every machine that can reach this one, with an API key")
        assert not dev.says("this machine alone")
    finally:
        assert dev.stop() == 0


async def test_what_it_keeps_is_for_its_user_alone(dev: Dev, client: aiohttp.ClientSession) -> None:
    assert await answer(client)
    assert dev.says("open to this machine alone")
    kept = [dev.data, *dev.data.rglob("*")]
    assert {dev.data / "store.db", dev.data / "chroma" / "chroma.sqlite3"} <= set(kept)
    assert {path.stat().st_mode & 0o777 for path in kept if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in kept if path.is_file()} == {0o600}
