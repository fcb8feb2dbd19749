"""What code and manifest say of a plugin, as `/openapi.json` shows it, and manifests whose plugins do not fit."""

import textwrap
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from slipway_crds.manifests import ManifestDocument
from slipway_crds.plugins.model import Plugin
from slipway_crds.validate import validate_documents
from slipway_runtime.connector.hosting import HostedPlugin
from slipway_runtime.connector.loaders import Surroundings
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.manifests import InvalidManifests, assemble
from slipway_runtime.dev.parts import open_parts
from slipway_runtime.dev.plugin_pods import ANYWHERE, write_files
from slipway_runtime.gateway.app import create_app
from slipway_runtime.settings import default_model_dir
from tests.support.servers import free_port
from tests.support.serving import served

CODE = """
from slipway_runtime.plugin_api import PluginMetadata, hookimpl

@hookimpl
def slipway_metadata():
    return PluginMetadata(name="word_count", version="1.2.0", openapi_extensions={"x-words": "/words"})
"""
PYTHON = f"""
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata: {{name: words, namespace: demo}}
spec:
  type: python
  python: {{module: {{name: words, key: words.py}}}}
  metadata: {{name: words, version: "0.1", description: Counts words., author: Ann, dependencies: [clock>=1]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: words, namespace: demo}}
data:
  words.py: |
{textwrap.indent(CODE, "    ")}
"""
CLOCK = """
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata: {{name: clock, namespace: demo}}
spec:
  type: mcp
  mcp: {{serviceRef: {{name: clock, port: 1}}}}
  metadata:
    name: clock
    version: "{version}"
    dependencies: [{needs}]
    openapiExtensions: {{x-zone: UTC}}
"""


def clock(version: str = "1.4", needs: str = "") -> str:
    return CLOCK.format(version=version, needs=needs)


def documents(*texts: str) -> list[dict[str, Any]]:
    return [value for text in texts for value in yaml.safe_load_all(text)]


@dataclass
class Dev:
    """A local driver with its gateway."""

    driver: LocalDriver
    client: aiohttp.ClientSession

    async def apply(self, *texts: str) -> None:
        manifests = assemble([ManifestDocument(value, "x.yaml") for value in documents(*texts)])
        await self.driver.apply(manifests, progress=lambda key, progress: None)

    async def openapi(self) -> dict[str, Any]:
        async with self.client.get("/openapi.json") as response:
            found: dict[str, Any] = await response.json()
            return found


@pytest.fixture
async def dev(tmp_path: Path) -> AsyncIterator[Dev]:
    async with AsyncExitStack() as stack:
        url = f"http://127.0.0.1:{free_port()}"
        opened = open_parts(tmp_path, model=default_model_dir(), delta_delay=0, gateway_url=url)
        parts = await stack.enter_async_context(opened)
        await stack.enter_async_context(served(create_app(parts.gateway), port=int(url.rpartition(":")[2])))
        client = await stack.enter_async_context(aiohttp.ClientSession(url))
        yield Dev(LocalDriver(parts, host_url=f"http://127.0.0.1:{free_port()}"), client)


@pytest.mark.proves("Plugin.metadata.description", "Plugin.metadata.author", "Plugin.metadata.openapiExtensions")
async def test_the_document_has_what_code_and_manifest_say(dev: Dev) -> None:
    await dev.apply(PYTHON, clock())
    document = await dev.openapi()
    clock_entry, words = document["x-plugins"]
    assert words["metadata"] == {
        "name": "word_count",
        "version": "1.2.0",
        "description": "Counts words.",
        "author": "Ann",
        "dependencies": ["clock>=1"],
        "openapi_extensions": {"x-words": "/plugins/demo/words/words"},
    }
    assert clock_entry["metadata"]["version"] == "1.4"
    assert (document["x-words"], document["x-zone"]) == ("/plugins/demo/words/words", "UTC")
    await dev.apply(clock())
    assert [each["name"] for each in (await dev.openapi())["x-plugins"]] == ["clock"]


@pytest.mark.proves("Plugin.metadata.dependencies")
@pytest.mark.parametrize(
    ("other", "words"),
    [
        (clock("0.9"), "needs the Plugin clock >=1, which has version 0.9"),
        (clock("1.0", "words"), "clock needs words needs clock"),
        (clock("1.x"), "1.x is no version"),
    ],
    ids=["a conflict", "a cycle", "no version"],
)
def test_manifests_whose_plugins_do_not_fit_are_refused_by_name(other: str, words: str) -> None:
    findings = [each for each in validate_documents(documents(PYTHON, other)) if not each.problem.waiting]
    assert words in "; ".join(map(str, findings))
    with pytest.raises(InvalidManifests, match=words):
        assemble([ManifestDocument(value, "x.yaml") for value in documents(PYTHON, other)])


def test_a_plugin_that_is_missing_is_a_warning() -> None:
    (finding,) = validate_documents(documents(PYTHON))
    assert finding.problem.waiting
    assert "needs the Plugin clock >=1: apply it" in str(finding)


async def test_a_connector_reports_what_the_code_says(tmp_path: Path) -> None:
    manifests = assemble([ManifestDocument(value, "x.yaml") for value in documents(PYTHON)])
    plugin = Plugin.model_validate(documents(PYTHON)[0])
    write_files(plugin, manifests, {}, tmp_path)
    hosted = HostedPlugin(plugin, Surroundings(folder=tmp_path, reach=ANYWHERE))
    await hosted.look()
    told = hosted.report()
    await hosted.close()
    assert (told["reason"], told["metadata"]["name"], told["metadata"]["version"]) == ("", "word_count", "1.2.0")
