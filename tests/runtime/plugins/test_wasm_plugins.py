"""A call of a WebAssembly module ends by itself, whatever the module does, and the next one begins anew."""

from typing import Any

import aiohttp
import pytest

from slipway_runtime.plugin_api import AnswerContext
from slipway_runtime.plugins.loading.code import CallLimits, PluginCode
from slipway_runtime.plugins.loading.failures import PluginBroken, PluginCallFailed
from slipway_runtime.plugins.wasm_plugins.module import WasmModule
from slipway_runtime.plugins.wasm_plugins.plugin import wasm_plugin
from tests.support import wasm_modules
from tests.support.serving import served
from tests.support.wasm_modules import module

LIMITS = CallLimits(fuel=50_000_000, memory_bytes=16 * 2**20, seconds=5)
ACT = {"call": "tool", "name": "act"}
CONTEXT = AnswerContext("demo/support", "r1")


@pytest.mark.parametrize(
    ("body", "imports", "limits", "kind", "says"),
    [
        pytest.param(wasm_modules.FOR_EVER, "", LIMITS, "OutOfFuel", "50000000 instructions", id="loops"),
        pytest.param(
            wasm_modules.FOR_EVER,
            "",
            CallLimits(fuel=10**15, seconds=0.2),
            "TimedOut",
            "longer than 0.2 s",
            id="loops with much fuel",
        ),
        pytest.param(wasm_modules.ENDLESS_MEMORY, "", LIMITS, "OutOfMemory", "16 MiB", id="allocates without end"),
        pytest.param(wasm_modules.DEEP, "", LIMITS, "Trapped", "stack", id="calls itself without end"),
        pytest.param(wasm_modules.DIVIDES, "", LIMITS, "Trapped", "divide by zero", id="divides by zero"),
        pytest.param("unreachable", "", LIMITS, "Trapped", "unreachable", id="traps"),
        pytest.param(wasm_modules.OPENS, wasm_modules.SOCKET, LIMITS, "NotAllowed", "sock_accept", id="opens a socket"),
        pytest.param(wasm_modules.OUTSIDE, "", LIMITS, "InvalidResult", "not in its memory", id="points outside"),
    ],
)
def test_a_call_that_goes_wrong_ends_alone(body: str, imports: str, limits: CallLimits, kind: str, says: str) -> None:
    loaded = WasmModule(module(body, imports=imports), limits)
    for _ in range(2):
        with pytest.raises(PluginCallFailed) as failed:
            loaded.call(ACT)
        assert failed.value.kind == kind
        assert says in failed.value.message
        assert loaded.call({"call": "describe"}) == wasm_modules.DESCRIBED


def test_what_a_call_leaves_behind_is_not_there_in_the_next_one() -> None:
    counts = "(i32.store8 (i32.const 16384) (i32.add (i32.load8_u (i32.const 16384)) (i32.const 1)))"
    one = "(i64.or (i64.shl (i64.const 16384) (i64.const 32)) (i64.const 1))"
    loaded = WasmModule(module(counts + one, result=0), LIMITS)
    assert [loaded.call(ACT), loaded.call(ACT)] == [1, 1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"PK not a module", "no WebAssembly module", id="another file"),
        pytest.param(b"\0asm\1\0\0\0\x99", "cannot be compiled", id="a broken one"),
        pytest.param(b"\0asm\1\0\0\0", "does not export memory", id="an empty one"),
        pytest.param(b"\0asm" + bytes(16 * 2**20), "larger than 16 MiB", id="a large one"),
        pytest.param(module(says={"tools": [{"nom": "x"}]}), "gave something else", id="one that describes nothing"),
        pytest.param(module(says=[1]), "no JSON object", id="one that describes a list"),
    ],
)
def test_what_is_no_plugin_is_not_loaded(content: bytes, says: str) -> None:
    with pytest.raises(PluginBroken, match=says):
        wasm_plugin(PluginCode("pii", "wasm", limits=LIMITS), content)


def loaded(**given: Any) -> Any:
    return wasm_plugin(PluginCode("pii", "wasm", limits=LIMITS), module(**given))


async def test_a_tool_gets_arguments_and_gives_json() -> None:
    plugin = loaded(result={"result": {"words": 3}})
    assert [(each.name, each.read_only) for each in plugin.tools] == [("act", True)]
    assert await plugin.call_tool("act", {}, seconds=5) == {"words": 3}
    with pytest.raises(PluginCallFailed, match="ToolFailed: no such city"):
        await loaded(result={"error": "no such city"}).call_tool("act", {}, seconds=5)


async def test_a_middleware_changes_a_sentence_or_leaves_it() -> None:
    plugin = loaded(result={"text": "[removed]"})
    assert plugin.stages == {"after"}
    assert await plugin.after("Call 0664 123456.", CONTEXT) == "[removed]"
    assert await loaded(result={}).after("Fine.", CONTEXT) == "Fine."
    with pytest.raises(PluginCallFailed, match="InvalidResult"):
        await loaded(result={"text": 5}).after("Fine.", CONTEXT)


ENDPOINTS = {"endpoints": [{"method": "POST", "path": "/votes/{run}", "openapi": {"x-kept-for": "30 days"}}]}


async def called(result: object, **request: Any) -> tuple[int, Any]:
    plugin = loaded(says=ENDPOINTS, result=result)
    assert plugin.app.openapi()["paths"]["/votes/{run}"]["post"]["x-kept-for"] == "30 days"
    async with (
        served(plugin.app) as url,
        aiohttp.ClientSession(url) as client,
        client.post("/votes/r1", **request) as response,
    ):
        return response.status, await response.json()


async def test_an_end_point_answers_with_the_status_and_the_body_of_the_module() -> None:
    assert await called({"status": 201, "body": {"stars": 5}}, json={"stars": 5}) == (201, {"stars": 5})
    assert await called({"body": [1]}) == (200, [1])
    assert (await called({"status": "fine"}))[0] == 502
    assert (await called({}, data="{"))[0] == 400


async def test_an_end_point_that_traps_answers_502() -> None:
    plugin = loaded(says=ENDPOINTS, body="unreachable")
    async with served(plugin.app) as url, aiohttp.ClientSession(url) as client, client.post("/votes/r1") as response:
        assert response.status == 502
        assert "Trapped" in (await response.json())["error"]


def test_an_end_point_cannot_take_the_path_of_the_tools() -> None:
    with pytest.raises(PluginBroken, match="an end point at /mcp"):
        loaded(says={"endpoints": [{"method": "POST", "path": "/mcp"}]})
