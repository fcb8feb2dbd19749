"""What the tests of a plugin are written with: the plugin of a folder, loaded as its pod loads it.

from slipway_runtime.plugin_testing import load_plugin

def test_it_greets():
    with load_plugin(Path(__file__).parent) as plugin:
        assert plugin.call("greet", name="Ann") == "Hello, Ann!"
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from slipway_crds.manifests import ManifestError
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.model import Plugin
from slipway_runtime.addresses import AddressRule
from slipway_runtime.authoring.packing import CannotPack, plugin_of
from slipway_runtime.connector.credential_files import access_of
from slipway_runtime.plugin_api import AnswerContext, Refuse
from slipway_runtime.plugins.loading.code_plugin import CodePlugin
from slipway_runtime.plugins.loading.loading import code_of, load_code
from slipway_runtime.plugins.openapi.loader import load_openapi

HERE = AddressRule(loopback=True, private=True)
CONTEXT = AnswerContext("demo/test", "run-1")
SECONDS = 30.0
Call = Callable[[Mapping[str, Any]], Coroutine[Any, Any, Any]]


class LoadedForTests:
    """A plugin, to call from tests that are ordinary functions. `close` it, or use it in `with`."""

    def __init__(self, plugin: Plugin, content: bytes) -> None:
        self._plugin = plugin
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self._code: CodePlugin | None = None
        self._tools: dict[str, Call] = {}
        self._close: Callable[[], Awaitable[None]] | None = None
        self._runner.run(self._load(content))

    @property
    def metadata(self) -> PluginMetadata | None:
        """What the code says of the plugin."""
        return self._code.metadata if self._code is not None else None

    @property
    def tools(self) -> list[str]:
        """Names of its tools, sorted."""
        return sorted(self._tools)

    def call(self, tool: str, **arguments: Any) -> Any:
        """What a tool gives. Raises `PluginCallFailed` if it fails, KeyError if there is no such tool."""
        return self._runner.run(self._tools[tool](arguments))

    def before(self, question: str) -> str | Refuse:
        """The question as the agent gets it, or the refusal of it."""
        return self._runner.run(self._middleware.before(question, CONTEXT))

    def after(self, text: str) -> str:
        """A sentence of an answer as it is stored."""
        return self._runner.run(self._middleware.after(text, CONTEXT))

    def request(self, method: str, path: str, **given: Any) -> httpx2.Response:
        """The response of one of its endpoints. Arguments beyond the path are those of httpx2's `request`."""
        app = self._code.app if self._code is not None else None
        assert app is not None, "the plugin has no endpoints"

        async def send() -> httpx2.Response:
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://plugin") as client:
                return await client.request(method, path, **given)

        return self._runner.run(send())

    def get(self, path: str, **given: Any) -> httpx2.Response:
        """The same for `GET`."""
        return self.request("GET", path, **given)

    def post(self, path: str, **given: Any) -> httpx2.Response:
        """The same for `POST`."""
        return self.request("POST", path, **given)

    def close(self) -> None:
        """End it."""
        if self._close is not None:
            self._runner.run(_awaited(self._close()))
        if self._code is not None:
            self._code.close()
        self._runner.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    @property
    def _middleware(self) -> CodePlugin:
        assert self._code is not None, "only code has middleware"
        assert self._code.middleware is not None, "the plugin has no middleware"
        return self._code

    async def _load(self, content: bytes) -> None:
        if self._plugin.spec.openapi is not None:
            access = access_of(self._plugin, Path(self._folder.name), HERE)
            loaded = await load_openapi(self._plugin, content, access, service_host="127.0.0.1")
            self._close = loaded.close
            for each in loaded.tools:
                self._tools[each.name] = _answered(each.call)
            return
        self._code = code = load_code(code_of(self._plugin), content, folder=Path(self._folder.name))
        for tool in code.tools:
            self._tools[tool.name] = _called(code, tool.name)


async def _awaited(work: Awaitable[None]) -> None:
    await work


def load_plugin(folder: Path, **spec: Any) -> LoadedForTests:
    """Load the plugin of a folder, of the types python, wasm and openapi.

    Args:
        folder: has `plugin.yaml` and the files that it names.
        spec: in place of what the manifest has under `spec`, like `config={...}`.

    Raises:
        AssertionError: if the folder has no plugin, or its manifest is not valid.
    """
    try:
        manifest, content = plugin_of(folder)
        return LoadedForTests(Plugin.model_validate({**manifest, "spec": {**manifest["spec"], **spec}}), content)
    except (CannotPack, ManifestError) as error:
        raise AssertionError(str(error)) from error


def _called(code: CodePlugin, name: str) -> Call:
    return lambda arguments: code.call_tool(name, arguments, seconds=SECONDS)


def _answered(call: Callable[[Mapping[str, Any]], Any]) -> Call:
    async def answer(arguments: Mapping[str, Any]) -> Any:
        given = await call(arguments)
        assert not given.failed, given.text
        return given.structured if given.structured is not None else given.text

    return answer
