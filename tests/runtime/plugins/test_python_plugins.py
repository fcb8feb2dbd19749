"""Python plugins: a module or a wheel is imported, and its hooks say what it provides."""

import asyncio
import contextlib
import threading
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from slipway_crds.plugins.model import Plugin
from slipway_runtime.connector.code_loader import load_code_plugin
from slipway_runtime.plugin_api import AnswerContext, Refuse
from slipway_runtime.plugins.loading.apart import Apart
from slipway_runtime.plugins.loading.code import PluginCode
from slipway_runtime.plugins.loading.code_plugin import CodePlugin
from slipway_runtime.plugins.loading.failures import PluginBroken, PluginCallFailed
from slipway_runtime.plugins.loading.isolation import Isolated
from slipway_runtime.plugins.loading.loading import load_code
from tests.support.serving import served

MODULE = '''
"""A plugin with everything."""
from fastapi import APIRouter
from prometheus_client.core import GaugeMetricFamily

from slipway_runtime.plugin_api import Middleware, Refuse, hookimpl, tool

router = APIRouter()

@router.get("/hello", openapi_extra={"x-audience": "staff"})
async def hello() -> str:
    return "hello"

@tool(read_only=True)
def count_words(text: str, least: int = 1) -> int:
    """Count the words of a text."""
    return len([word for word in text.split() if len(word) >= least])

@tool
async def greet(name: str) -> dict:
    """Greet somebody."""
    return {"greeting": f"Hello, {name}"}

class Polite(Middleware):
    def __init__(self, word):
        self.word = word

    def before(self, question, context):
        return Refuse("Say please.") if "now" in question else None

    async def after(self, text, context):
        return f"{text} {self.word} ({context.agent})"

class Figures:
    def collect(self):
        yield GaugeMetricFamily("plugin_words", "Words", value=3)

@hookimpl
def slipway_tools(config):
    return [count_words, greet]

@hookimpl
def slipway_router(config):
    return router

@hookimpl
def slipway_middleware(config):
    return Polite(config["word"])

@hookimpl
def slipway_metrics(config):
    return [Figures()]

@hookimpl
def slipway_openapi(config):
    return {"x-words": True}
'''
CONTEXT = AnswerContext("demo/support", "r1")


class Load:
    """Loads plugins, and closes them in the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: list[CodePlugin] = []

    def __call__(
        self, content: str | bytes, *, form: Literal["module", "wheel"] = "module", entry: str = ""
    ) -> CodePlugin:
        code = PluginCode("polite", form, entry=entry, config={"word": "Thank you."})
        given = content.encode() if isinstance(content, str) else content
        self.loaded.append(load_code(code, given, folder=self.folder))
        return self.loaded[-1]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Loads plugins; wheels are unpacked in a folder of the test's own."""
    load = Load(tmp_path / "unpacked")
    yield load
    for each in load.loaded:
        each.close()


def wheel_of(files: dict[str, str]) -> bytes:
    """A wheel with these files."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return written.getvalue()


def wheel(source: str = MODULE, entry_points: str = "[slipway.plugins]\nmain = polite_plugin\n") -> bytes:
    return wheel_of(
        {
            "polite_plugin/__init__.py": source,
            "polite-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: polite\nVersion: 1.0\n",
            "polite-1.0.dist-info/entry_points.txt": entry_points,
        }
    )


@pytest.mark.parametrize("form", ["module", "wheel"])
async def test_a_plugin_provides_what_its_hooks_give(load: Load, form: Literal["module", "wheel"]) -> None:
    plugin = load(MODULE if form == "module" else wheel(), form=form)
    assert [(each.name, each.description, each.read_only) for each in plugin.tools] == [
        ("count_words", "Count the words of a text.", True),
        ("greet", "Greet somebody.", False),
    ]
    assert plugin.tools[0].input_schema["required"] == ["text"]
    assert await plugin.call_tool("count_words", {"text": "a big dog", "least": 2}, seconds=5) == 2
    assert await plugin.call_tool("greet", {"name": "Ida"}, seconds=5) == {"greeting": "Hello, Ida"}
    assert plugin.stages == {"before", "after"}
    assert await plugin.before("Help me now", CONTEXT) == Refuse("Say please.")
    assert await plugin.before("Help me", CONTEXT) == "Help me"
    assert await plugin.after("Here.", CONTEXT) == "Here. Thank you. (demo/support)"
    assert plugin.app is not None
    document = plugin.app.openapi()
    assert document["paths"]["/hello"]["get"]["x-audience"] == "staff"
    assert document["x-words"] is True
    assert [family.name for each in plugin.collectors for family in each.collect()] == ["plugin_words"]
    assert plugin.openapi == {"x-words": True}


async def test_arguments_are_checked_before_a_tool_is_called(load: Load) -> None:
    plugin = load(MODULE)
    with pytest.raises(PluginCallFailed, match="text"):
        await plugin.call_tool("count_words", {"words": 5}, seconds=5)


FAILING = """
from pydantic import TypeAdapter
from slipway_runtime.plugin_api import ToolFailed, hookimpl, tool

@tool
def leaks(text: str) -> str:
    raise ValueError(text)

@tool
def validates(text: str) -> int:
    return TypeAdapter(int).validate_python(text)

@tool
def tells(text: str) -> str:
    raise ToolFailed(f"there is no order {text}: list the orders")

@hookimpl
def slipway_tools(config):
    return [leaks, validates, tells]
"""


async def test_callers_of_tools_are_told_what_is_meant_for_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = {"type": "python", "python": {"module": {"name": "code", "key": "plugin.py"}}}
    plugin = Plugin.model_validate({"metadata": {"name": "orders", "namespace": "demo"}, "spec": spec})
    loaded = await load_code_plugin(plugin, FAILING.encode(), folder=tmp_path)
    calls = {each.name: each.call for each in loaded.tools}
    for name in ("leaks", "validates"):
        failed = await calls[name]({"text": "Marker-4711"})
        assert (failed.text, failed.failed) == ("the plugin orders failed (Raised): the log of its pod says more", True)
    assert "ValueError in <plugin orders>, line 7" in caplog.text
    assert "4711" not in caplog.text
    assert (await calls["tells"]({"text": "7"})).text == "there is no order 7: list the orders"
    wrong = await calls["tells"]({"text": 4711})
    assert wrong.text == "the arguments do not fit: text: Input should be a valid string"
    await loaded.close()


async def test_a_new_version_of_a_wheel_takes_the_place_of_the_old_one(load: Load) -> None:
    load(wheel(), form="wheel")
    newer = load(wheel(MODULE.replace("Hello, ", "Good day, ")), form="wheel")
    assert await newer.call_tool("greet", {"name": "Ida"}, seconds=5) == {"greeting": "Good day, Ida"}


def test_a_wheel_may_name_its_plugin_in_the_manifest(load: Load) -> None:
    plugin = load(wheel(entry_points=""), form="wheel", entry="polite_plugin")
    assert len(plugin.tools) == 2


HOOK = "from slipway_runtime.plugin_api import Middleware, hookimpl, tool\n@hookimpl\n"


CLAIMS = """
from fastapi import APIRouter
from slipway_runtime.plugin_api import hookimpl

router = APIRouter()

@router.post("/mcp")
def mine() -> str:
    return "mine"

@hookimpl
def slipway_router(config):
    return router
"""


@pytest.mark.parametrize(
    ("content", "form", "says"),
    [
        pytest.param("import nowhere_to_be_found", "module", "No module named", id="imports what is not there"),
        pytest.param("def broken(:", "module", "SyntaxError", id="is not Python"),
        pytest.param("raise SystemExit(3)", "module", "SystemExit", id="exits"),
        pytest.param("answer = 42", "module", "no hooks", id="has no hooks"),
        pytest.param(
            HOOK + "def slipway_toils(config): return []", "module", "slipway_toils", id="has an unknown hook"
        ),
        pytest.param(HOOK + "def slipway_tools(config): return 1 / 0", "module", "ZeroDivisionError", id="raises"),
        pytest.param(HOOK + "def slipway_tools(config): return ['x']", "module", "class str", id="gives no tools"),
        pytest.param(
            HOOK + "def slipway_tools(config):\n  a = tool(name='a')(lambda: 1)\n  return [a, a]",
            "module",
            "have the name a",
            id="has a tool twice",
        ),
        pytest.param(CLAIMS, "module", "an end point at /mcp", id="claims the path of tools"),
        pytest.param(HOOK + "def slipway_openapi(config): return {'paths': {}}", "module", "begin with x-", id="paths"),
        pytest.param("not a zip", "wheel", "no wheel", id="is no wheel"),
        pytest.param(wheel(entry_points=""), "wheel", "no entry point", id="has no entry point"),
        pytest.param(wheel_of({"a.so": ""}), "wheel", "compiled code", id="has compiled code"),
    ],
)
def test_what_cannot_be_loaded_says_why(
    load: Load, content: str | bytes, form: Literal["module", "wheel"], says: str
) -> None:
    with pytest.raises(PluginBroken, match=says):
        load(content, form=form)


async def test_a_call_that_hangs_holds_up_no_other() -> None:
    isolated, ends = Isolated("hanging"), threading.Event()
    with pytest.raises(PluginCallFailed, match=r"TimedOut: it took longer than 0\.05 s"):
        await isolated.call(ends.wait, seconds=0.05)
    with pytest.raises(PluginCallFailed, match="TimedOut"):
        await isolated.call(asyncio.sleep, 3600, seconds=0.05)
    assert await isolated.call(lambda: 1, seconds=5) == 1
    ends.set()
    isolated.close()


async def test_a_call_that_loops_is_ended_when_its_time_is_over() -> None:
    isolated, begun = Isolated("looping"), list[threading.Thread]()

    def loop() -> None:
        begun.append(threading.current_thread())
        while True:
            try:
                int("no number")
            except ValueError:
                continue

    for _ in range(5):  # more than are left out
        with pytest.raises(PluginCallFailed, match=r"TimedOut: it took longer than 0\.1 s"):
            await isolated.call(loop, seconds=0.1)
        await asyncio.to_thread(begun[-1].join, 30)
        assert not begun[-1].is_alive()
    assert len(begun) == 5


async def test_a_call_that_loops_is_ended_after_its_caller_has_left() -> None:
    isolated, begun, threads = Isolated("looping"), threading.Event(), list[threading.Thread]()

    def loop() -> None:
        threads.append(threading.current_thread())
        begun.set()
        while True:
            pass

    call = asyncio.create_task(isolated.call(loop, seconds=0.2))
    assert await asyncio.to_thread(begun.wait, 30)
    call.cancel()
    await asyncio.to_thread(threads[0].join, 30)
    assert not threads[0].is_alive()


async def test_a_coroutine_that_loops_is_ended_and_the_others_go_on() -> None:
    isolated, began = Isolated("looping"), threading.Event()

    async def loop() -> None:
        began.set()
        while True:
            pass

    async def waits() -> str:
        await asyncio.to_thread(began.wait, 30)
        return "done"

    waiting = asyncio.create_task(isolated.call(waits, seconds=60))
    with pytest.raises(PluginCallFailed, match="TimedOut"):
        await isolated.call(loop, seconds=0.1)
    assert await waiting == "done"
    isolated.close()


async def test_an_end_point_that_loops_is_ended_and_the_others_go_on() -> None:
    isolated, app = Isolated("looping"), FastAPI()

    @app.get("/loop")
    async def loop() -> None:
        while True:
            pass

    @app.post("/echo")
    async def echo(given: dict[str, str]) -> dict[str, str]:
        return given

    async with (
        served(Starlette(routes=[Mount("/", app=Apart(app, isolated.loop, seconds=0.2))])) as url,
        aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(force_close=True)) as client,
    ):
        for _ in range(2):
            async with client.get("/loop") as response:
                assert response.status == 500
            async with client.post("/echo", json={"a": "b"}) as response:
                assert await response.json() == {"a": "b"}
    isolated.close()


async def test_a_plugin_that_does_not_let_itself_be_ended_is_left_out_until_its_calls_have_ended() -> None:
    isolated, ends, begun = Isolated("looping"), threading.Event(), list[threading.Thread]()

    def loop() -> None:
        begun.append(threading.current_thread())
        while not ends.is_set():
            with contextlib.suppress(BaseException):
                ends.wait(0.05)

    for _ in range(5):
        with pytest.raises(PluginCallFailed, match="TimedOut"):
            await isolated.call(loop, seconds=0.05)
    assert len(begun) == 3
    ends.set()
    for each in begun:
        await asyncio.to_thread(each.join, 30)
    assert await isolated.call(lambda: 1, seconds=5) == 1


async def test_calls_that_hang_are_not_started_without_end() -> None:
    isolated, ends = Isolated("hanging"), threading.Event()
    failed = await asyncio.gather(*(isolated.call(ends.wait, seconds=0.2) for _ in range(32)), return_exceptions=True)
    assert {type(each) for each in failed} == {PluginCallFailed}
    with pytest.raises(PluginCallFailed, match="it is left out: 3 calls before this one have not ended"):
        await isolated.call(lambda: 1, seconds=5)
    ends.set()
