"""The example of a plugin in WebAssembly, as it is: around the answers of an agent, and as a tool."""

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from mcp import Client

from slipway_crds.manifests import ManifestDocument, load_paths
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.manifests import assemble
from slipway_runtime.dev.parts import open_parts
from slipway_runtime.gateway.app import create_app
from slipway_runtime.host.app import create_host_app
from slipway_runtime.plugin_api import AnswerContext
from slipway_runtime.plugins.loading.code import PluginCode
from slipway_runtime.plugins.loading.code_plugin import CodePlugin
from slipway_runtime.plugins.loading.loading import load_code
from slipway_runtime.settings import default_model_dir
from slipway_runtime.store.database import Database
from tests.support.model_server import Asked, Reply, model_server
from tests.support.servers import free_port
from tests.support.serving import served

EXAMPLE = Path(__file__).parents[3] / "examples" / "plugins" / "pii-guard"
CONTEXT = AnswerContext("demo/parcels", "r1")
TEXTS = (
    "Write to ida.berg+x@mail.example.co.uk.",
    "Call +43 (664) 123-45-67 or 555-123-4567, please: it is 08:15 on 2026-11-30.",
    "Pay with 4111 1111 1111 1111, and not with 4111 1111 1111 1112.",
    'Grüße, "müller@beispiel.de" \\ \t \u2028 😀',
    "a" * 10_000 + " ida@example.com",
    "",
)


@dataclass
class Dev:
    """A local driver with a gateway and a host."""

    driver: LocalDriver
    client: aiohttp.ClientSession
    url: str
    database: Database

    async def apply(self, values: list[Any]) -> None:
        manifests = assemble([ManifestDocument(value, "x.yaml") for value in values])
        await self.driver.apply(manifests, progress=lambda key, progress: None)

    async def ask(self, question: str, **more: Any) -> dict[str, Any]:
        async with self.client.post("/agents/demo/parcels/chat", json={"question": question, **more}) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer

    async def stream(self, question: str) -> str:
        accept = {"Accept": "text/event-stream"}
        async with self.client.post("/agents/demo/parcels/chat", json={"question": question}, headers=accept) as answer:
            return await answer.text()


@pytest.fixture
async def dev(tmp_path: Path) -> AsyncIterator[Dev]:
    async with AsyncExitStack() as stack:
        front, back = free_port(), free_port()
        url = f"http://127.0.0.1:{front}"
        opened = open_parts(tmp_path, model=default_model_dir(), delta_delay=0, gateway_url=url)
        parts = await stack.enter_async_context(opened)
        driver = LocalDriver(parts, host_url=f"http://127.0.0.1:{back}")
        await stack.enter_async_context(served(create_host_app(parts.host), port=back))
        await stack.enter_async_context(served(create_app(parts.gateway), port=front))
        client = await stack.enter_async_context(aiohttp.ClientSession(url))
        yield Dev(driver, client, url, parts.host.database)


def manifests() -> list[Any]:
    return [document.value for document in load_paths([EXAMPLE])]


def of_kind(values: list[Any], kind: str) -> Any:
    return next(value for value in values if value["kind"] == kind)


@pytest.mark.proves("Agent.plugins[].pluginRef.name")
async def test_answers_and_their_quotes_hold_nothing_personal(dev: Dev) -> None:
    await dev.apply(manifests())
    answer = await dev.ask("Whom do I tell about a lost parcel?")
    said = "A lost parcel is reported to Ida Berg, at [e-mail] or [phone], within fourteen days."
    assert (answer["answer"], [each["quote"] for each in answer["sources"]]) == (said, [said])
    stream = await dev.stream("Which card gets a refund?")
    assert "4111" not in stream
    assert "The test card is [card]." in stream


async def test_no_event_is_stored_with_what_is_personal(dev: Dev) -> None:
    await dev.apply(manifests())
    await dev.ask("Whom do I tell about a lost parcel?")
    stored = [str(row["batch"]) for row in await dev.database.fetch("SELECT batch FROM events")]
    assert [batch for batch in stored if "[e-mail]" in batch]
    assert [batch for batch in stored if "example.com" in batch] == []


MODEL: dict[str, Any] = {"name": "m", "provider": "openai-compatible", "model": "x"}
SAID = "A lost parcel is reported to Ida Berg, at ida.berg@example.com. [1]"
ASKED = "I am max@example.com, whom do I tell about a lost parcel?"


def says(asked: Asked) -> Reply:
    """A model that has an address in what it says, as text or as the output that is wanted."""
    tools = asked.body.get("tools") or [{"function": {"parameters": {"properties": {}}}}]
    wanted = {"queries": ["lost parcel"], "faults": [], "answer": SAID}
    properties = tools[0]["function"]["parameters"]["properties"]
    return Reply(SAID, output={name: wanted[name] for name in properties if name in wanted} or None)


@pytest.mark.parametrize("architecture", ["pydantic-ai", "langgraph", "hybrid"])
async def test_no_model_sees_what_is_personal_and_what_it_says_is_redacted(dev: Dev, architecture: str) -> None:
    values = manifests()
    spec = of_kind(values, "Agent")["spec"]
    with model_server(says) as model:
        spec |= {"architecture": architecture, "models": [MODEL | {"baseURL": model.base_url}]}
        if architecture == "pydantic-ai":
            del spec["knowledge"]
        await dev.apply(values)
        first = await dev.ask(ASKED)
        assert "A lost parcel is reported to Ida Berg, at [e-mail]" in first["answer"], first
        await dev.ask("And who is that?", session_id=first["session_id"])
        stream = await dev.stream(ASKED)
    assert "ida.berg@example.com" not in stream
    assert "[e-mail]" in stream
    sent = [str(each.body) for each in model.requests]
    assert sent
    assert [each for each in sent if "max@example.com" in each] == []


async def test_an_orchestrator_passes_on_what_its_plugins_leave(dev: Dev) -> None:
    values = manifests()
    member = of_kind(values, "Agent")
    plugins = member["spec"].pop("plugins")
    front = {"architecture": "orchestrator", "members": [{"agentRef": {"name": "desk"}}], "plugins": plugins}
    values.append(member | {"metadata": {"name": "desk", "namespace": "demo"}})
    values[values.index(member)] = member | {"spec": front}
    await dev.apply(values)
    answer = await dev.ask("Whom do I tell about a lost parcel?")
    assert "at [e-mail] or [phone], within" in answer["answer"], answer
    assert "example.com" not in str(answer)


async def test_its_tool_redacts_what_it_is_given(dev: Dev) -> None:
    await dev.apply(manifests())
    async with Client(f"{dev.url}/plugins/demo/pii-guard/mcp") as client:
        result = await client.call_tool("redact", {"text": TEXTS[0]})
    assert result.content[0].text == "Write to [e-mail]."  # type: ignore[union-attr]


@pytest.mark.proves("Agent.plugins[].required", "Agent.plugins[].name")
@pytest.mark.parametrize("required", [True, False])
async def test_a_tampered_module_does_not_run(dev: Dev, required: bool) -> None:
    values = manifests()
    of_kind(values, "Plugin")["spec"]["digest"] = "sha256:" + "0" * 64
    of_kind(values, "Agent")["spec"]["plugins"][0]["required"] = required
    await dev.apply(values)
    if required:
        answer = await dev.ask("Whom do I tell about a lost parcel?")
        assert (answer["status"], answer["reason"]) == (503, "PluginFailed")
        assert "The plugin pii is required, and failed" in answer["detail"]
    else:
        stream = await dev.stream("Whom do I tell about a lost parcel?")
        assert '"type":"plugin_failed"' in stream
        assert '"plugin":"pii"' in stream
        assert "ida.berg@example.com" in stream


def shipped() -> bytes:
    (encoded,) = yaml.safe_load((EXAMPLE / "configmap.yaml").read_text())["binaryData"].values()
    return base64.b64decode(encoded)


@pytest.fixture
def guards(tmp_path: Path) -> Iterator[list[CodePlugin]]:
    """The plugin as it is shipped, and as its sources are now."""
    found = (shutil.which(each) for each in ("/usr/bin/rustc", "rustc"))
    rustc = next((each for each in found if each and _builds_wasm(each)), None)
    if rustc is None:
        pytest.skip("no Rust compiler with the target wasm32-unknown-unknown: apt-get install libstd-rust-dev-wasm32")
    module = tmp_path / "pii_guard.wasm"
    made = subprocess.run(
        ["make", "-C", EXAMPLE, f"OUT={tmp_path}", f"RUSTC={rustc}", module],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    loaded = [
        load_code(PluginCode("pii", "wasm"), content, folder=tmp_path) for content in (shipped(), module.read_bytes())
    ]
    yield loaded
    for each in loaded:
        each.close()


def _builds_wasm(rustc: str) -> bool:
    where = subprocess.run(
        [rustc, "--print", "target-libdir", "--target", "wasm32-unknown-unknown"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    return where.returncode == 0 and any(Path(where.stdout.strip()).glob("libstd*"))


async def test_what_is_shipped_does_what_the_sources_say(guards: list[CodePlugin]) -> None:
    for text in TEXTS:
        redacted = [await each.after(text, CONTEXT) for each in guards]
        asked = [await each.before(text, CONTEXT) for each in guards]
        called = [await each.call_tool("redact", {"text": text}, seconds=5) for each in guards]
        assert len({*redacted, *asked, *called}) == 1
        assert (redacted[0] == text) == (text == ""), text
    assert guards[0].stages == guards[1].stages == {"before", "after"}


def test_the_manifest_has_the_digest_of_what_is_shipped() -> None:
    digest = hashlib.sha256(shipped()).hexdigest()
    assert of_kind(manifests(), "Plugin")["spec"]["digest"] == f"sha256:{digest}"
