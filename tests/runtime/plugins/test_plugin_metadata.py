"""What plugins say of themselves in their code."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from slipway_crds.plugins.metadata import PluginMetadata
from slipway_runtime.plugins.loading.code import PluginCode
from slipway_runtime.plugins.loading.failures import PluginBroken
from slipway_runtime.plugins.loading.loading import load_code
from tests.support.wasm_modules import module

SAID = PluginMetadata(
    name="word_count", version="1.2.0", author="Ann", dependencies=("clock>=1",), openapi_extensions={"x-words": True}
)
PYTHON = """
from slipway_runtime.plugin_api import PluginMetadata, hookimpl

@hookimpl
def slipway_metadata():
    return PluginMetadata({})

@hookimpl
def slipway_openapi(config):
    return {{"x-more": 1}}
"""


def python(**said: object) -> bytes:
    return PYTHON.format(", ".join(f"{name}={value!r}" for name, value in said.items())).encode()


def wasm(**said: object) -> bytes:
    return module(says={"metadata": said, "openapi": {"x-more": 1}})


@pytest.mark.parametrize(("form", "content"), [("module", python), ("wasm", wasm)], ids=["python", "wasm"])
class TestMetadata:
    def test_it_is_what_the_code_says(self, form: str, content: object, tmp_path: Path) -> None:
        plugin = load_code(code(form), made(content, SAID.model_dump(exclude_defaults=True)), folder=tmp_path)
        plugin.close()
        assert plugin.metadata == SAID
        assert plugin.openapi == {"x-words": True, "x-more": 1}

    @pytest.mark.parametrize(
        "wrong",
        [{"version": "one.two"}, {"dependencies": ("x >= one",)}, {"openapi_extensions": {"paths": {}}}, {"name": ""}],
    )
    def test_what_means_nothing_is_not_loaded(
        self, form: str, content: object, wrong: dict[str, object], tmp_path: Path
    ) -> None:
        with pytest.raises(PluginBroken):
            load_code(code(form), made(content, {"name": "a", "version": "1", **wrong}), folder=tmp_path)


def code(form: str) -> PluginCode:
    return PluginCode("words", "wasm" if form == "wasm" else "module")


def made(content: object, said: Mapping[str, object]) -> bytes:
    assert callable(content)
    found = content(**said)
    assert isinstance(found, bytes)
    return found


def test_a_plugin_needs_to_say_nothing(tmp_path: Path) -> None:
    source = b"from slipway_runtime.plugin_api import hookimpl\n@hookimpl\ndef slipway_tools(config): return []\n"
    plugin = load_code(code("module"), source, folder=tmp_path)
    plugin.close()
    assert (plugin.metadata, plugin.openapi) == (None, {})
