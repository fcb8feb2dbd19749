"""make, then python -m pytest"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_runtime.plugin_testing import LoadedForTests, load_plugin
from slipway_runtime.plugins.loading.failures import PluginCallFailed


@pytest.fixture
def plugin() -> Iterator[LoadedForTests]:
    """The plugin, loaded as its pod loads it."""
    with load_plugin(Path(__file__).parent) as loaded:
        yield loaded


def test_it_greets(plugin: LoadedForTests) -> None:
    assert plugin.call("greet", name="Ann") == "Hello, Ann!"


def test_somebody_has_to_be_greeted(plugin: LoadedForTests) -> None:
    with pytest.raises(PluginCallFailed, match="name is missing"):
        plugin.call("greet")
