"""Documents that people upload: searchable soon, kept by rebuilds, gone when removed, for members of groups only."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from slipway_crds.manifests import ManifestDocument
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.manifests import Manifests, assemble
from slipway_runtime.dev.parts import open_parts
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.auth import CallerKeyFile, new_key
from slipway_runtime.host.app import create_host_app
from slipway_runtime.settings import default_model_dir
from tests.support.document_files import pdf
from tests.support.servers import free_port
from tests.support.serving import served
from tests.support.waiting import until_async

ZOO = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {name: zoo, namespace: demo}
spec: {backend: {chroma: {}}, uploads: {}, sources: [{name: docs, configMap: {name: docs}}]}
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {name: keeper, namespace: demo}
spec: {knowledge: [{name: zoo, indexRef: {name: zoo}, minScore: "0.3"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: docs, namespace: demo}
data: {zoo.md: "The elephant is called Rosa. She eats hay."}
"""
DOCUMENTS = "/indexes/demo/zoo/documents"


def zoo(**changed: str) -> Manifests:
    text = ZOO
    for old, new in changed.items():
        text = text.replace(old, new)
    return assemble([ManifestDocument(value, "zoo.yaml") for value in yaml.safe_load_all(text)])


@dataclass
class Dev:
    """The local driver, and a client of its gateway."""

    driver: LocalDriver
    client: aiohttp.ClientSession

    async def apply(self, manifests: Manifests) -> None:
        await self.driver.apply(manifests, progress=lambda key, progress: None)

    async def upload(
        self, name: str, content: bytes, *, key: str = "", path: str = DOCUMENTS, **fields: str
    ) -> tuple[int, Any]:
        form = aiohttp.FormData({**fields}, quote_fields=False)
        form.add_field("file", BytesIO(content), filename=name)
        async with self.client.post(path, data=form, headers=bearer(key)) as response:
            return response.status, await response.json(content_type=None)

    async def request(self, method: str, path: str, *, key: str = "") -> tuple[int, Any]:
        async with self.client.request(method, path, headers=bearer(key)) as response:
            return response.status, await response.json(content_type=None) if response.status != 204 else None

    async def state(self, id_: str, *, key: str = "") -> str:
        status, found = await self.request("GET", f"{DOCUMENTS}/{id_}", key=key)
        return str(found["state"]) if status == 200 else str(status)

    async def until(self, id_: str, state: str, *, key: str = "") -> None:
        async def reached() -> bool:
            return await self.state(id_, key=key) == state

        await until_async(reached, f"the upload is {state}")

    async def ask(self, question: str) -> Any:
        async with self.client.post("/agents/demo/keeper/chat", json={"question": question}) as response:
            return await response.json()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


async def open_dev(stack: AsyncExitStack, folder: Path, **options: Any) -> Dev:
    parts = await stack.enter_async_context(open_parts(folder, model=default_model_dir(), delta_delay=0, **options))
    port = free_port()
    driver = LocalDriver(parts, host_url=f"http://127.0.0.1:{port}")
    await stack.enter_async_context(served(create_host_app(parts.host), port=port))
    url = await stack.enter_async_context(served(create_app(parts.gateway)))
    return Dev(driver, await stack.enter_async_context(aiohttp.ClientSession(url)))


@pytest.fixture
async def dev(stack: AsyncExitStack, tmp_path: Path) -> Dev:
    return await open_dev(stack, tmp_path)


async def test_an_upload_is_searchable_survives_a_rebuild_and_can_be_removed(dev: Dev) -> None:
    await dev.apply(zoo())
    manual = pdf("The zoo opens at nine.", "The penguin is called Otto.")
    status, taken = await dev.upload("manual.pdf", manual, metadata='{"team": "birds"}')
    assert (status, taken["name"], taken["state"]) == (202, "manual.pdf", "pending")
    await dev.until(taken["id"], "embedded")
    answer = await dev.ask("What is the penguin called?")
    [source] = answer["sources"]
    assert (source["source"], source["document"], source["page"]) == ("uploads", "manual.pdf", 2)
    _, found = await dev.request("GET", f"{DOCUMENTS}/{taken['id']}")
    assert (found["metadata"], found["size"]) == ({"team": "birds"}, len(manual))

    await dev.apply(zoo(**{"uploads: {}": "uploads: {}, chunking: {maxTokens: 64}", "hay": "grass"}))
    assert await dev.state(taken["id"]) == "embedded"
    assert (await dev.ask("What is the penguin called?"))["answer"] == "The penguin is called Otto."

    assert await dev.request("DELETE", f"{DOCUMENTS}/{taken['id']}") == (204, None)

    async def forgotten() -> bool:
        return "Otto" not in (await dev.ask("What is the penguin called?"))["answer"]

    await until_async(forgotten, "the document has left the index")
    assert (await dev.request("GET", f"{DOCUMENTS}/{taken['id']}"))[0] == 404
    assert (await dev.request("GET", DOCUMENTS))[1] == {"documents": []}


async def test_an_upload_of_the_same_name_replaces_the_one_before(dev: Dev) -> None:
    await dev.apply(zoo())
    _, first = await dev.upload("a.md", b"The tiger is called Kim.")
    await dev.until(first["id"], "embedded")
    _, second = await dev.upload("a.md", b"The tiger is called Tim.")
    assert second["id"] == first["id"]
    await dev.until(second["id"], "embedded")
    assert (await dev.ask("What is the tiger called?"))["answer"] == "The tiger is called Tim."


async def test_an_upload_that_cannot_be_read_fails_with_its_reason_and_the_next_is_embedded(dev: Dev) -> None:
    await dev.apply(zoo())
    _, locked = await dev.upload("locked.pdf", pdf("secret", password="secret"))
    _, good = await dev.upload("good \u2713.md", b"The lion is called Leo.")
    await dev.until(locked["id"], "failed")
    await dev.until(good["id"], "embedded")
    _, found = await dev.request("GET", f"{DOCUMENTS}/{locked['id']}")
    assert found["reason"] == "an encrypted PDF; remove its password"
    names = [each["name"] for each in (await dev.request("GET", DOCUMENTS))[1]["documents"]]
    assert names == ["good \u2713.md", "locked.pdf"]


@pytest.mark.parametrize(
    ("name", "content", "fields", "why"),
    [
        ("a\u200b.md", b"text", {}, "printable"),
        ("x" * 300, b"text", {}, "printable"),
        ("a.md", b"text", {"metadata": "[1]"}, "must be a JSON object"),
        ("a.md", b"text", {"metadata": '{"a": {"b": 1}}'}, "a: neither a scalar nor a list"),
        ("a.md", b"text", {"metadata": '{"document": "other.md"}'}, "document: every document has it"),
        ("a.md", b"text", {"metadata": "{}", "more": "1", "and": "2"}, "Too many fields"),
    ],
)
async def test_what_is_wrong_with_a_form_is_named(
    dev: Dev, name: str, content: bytes, fields: dict[str, str], why: str
) -> None:
    await dev.apply(zoo())
    status, problem = await dev.upload(name, content, **fields)
    assert (status, problem["reason"]) == (422, "InvalidRequest")
    assert why in problem["detail"]


async def test_a_document_above_the_limit_is_refused(dev: Dev) -> None:
    await dev.apply(zoo())
    status, problem = await dev.upload("a.md", b"x" * (20 * 1024 * 1024 + 1))
    assert (status, problem["reason"]) == (413, "QuestionTooLarge")


async def test_a_document_just_below_the_limit_is_taken(dev: Dev) -> None:
    await dev.apply(zoo())
    status, taken = await dev.upload("a.pdf", b"%PDF-1.7" + b"x" * (20 * 1024 * 1024 - 8))
    assert status == 202
    await dev.until(taken["id"], "failed")
    _, found = await dev.request("GET", f"{DOCUMENTS}/{taken['id']}")
    assert (found["size"], found["reason"]) == (20 * 1024 * 1024, "a truncated PDF: its end is missing; write it again")


async def test_a_body_that_is_no_form_is_refused(dev: Dev) -> None:
    await dev.apply(zoo())
    async with dev.client.post(DOCUMENTS, json={"file": "text"}) as response:
        assert (response.status, (await response.json())["reason"]) == (422, "InvalidRequest")
    wrong = {"Content-Type": "multipart/form-data; boundary=x"}
    async with dev.client.post(DOCUMENTS, data=b"--y\r\n", headers=wrong) as response:
        assert (response.status, (await response.json())["reason"]) == (422, "InvalidRequest")


async def test_an_index_that_takes_no_uploads_is_not_told_from_none(dev: Dev) -> None:
    await dev.apply(zoo(**{"uploads: {}, ": ""}))
    for path in (DOCUMENTS, "/indexes/demo/none/documents", "/indexes/other/zoo/documents"):
        status, problem = await dev.upload("a.md", b"text", path=path)
        assert (status, problem["reason"]) == (404, "NotFound")
        assert "spec.uploads" in problem["detail"]


async def test_uploads_leave_an_index_that_takes_none_any_more(dev: Dev) -> None:
    await dev.apply(zoo())
    _, taken = await dev.upload("a.md", b"The tiger is called Kim.")
    await dev.until(taken["id"], "embedded")
    await dev.apply(zoo(**{"uploads: {}, ": ""}))
    assert "Kim" not in (await dev.ask("What is the tiger called?"))["answer"]


@pytest.mark.proves("VectorIndex.uploads.groups")
async def test_only_members_of_the_groups_may_upload_see_and_remove(stack: AsyncExitStack, tmp_path: Path) -> None:
    ann, anns = new_key("ann", groups=["keepers"])
    bob, bobs = new_key("bob", groups=["visitors"])
    keys = tmp_path / "keys.json"
    keys.write_text(CallerKeyFile(keys=(anns, bobs)).model_dump_json())
    (tmp_path / "data").mkdir()
    dev = await open_dev(stack, tmp_path / "data", keys=keys)
    await dev.apply(zoo(**{"uploads: {}": "uploads: {groups: [keepers]}"}))
    status, taken = await dev.upload("a.md", b"The tiger is called Kim.", key=ann)
    assert status == 202
    await dev.until(taken["id"], "embedded", key=ann)
    document = f"{DOCUMENTS}/{taken['id']}"
    assert (await dev.upload("b.md", b"text", key=bob))[0] == 404
    for method, path in (("GET", DOCUMENTS), ("GET", document), ("DELETE", document)):
        status, problem = await dev.request(method, path, key=bob)
        assert (status, problem["reason"]) == (404, "NotFound")
    assert (await dev.upload("b.md", b"text"))[0] == 401
    assert await dev.request("DELETE", document, key=ann) == (204, None)
