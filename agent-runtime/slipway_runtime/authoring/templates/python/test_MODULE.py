"""python -m pytest"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_runtime.plugin_testing import LoadedForTests, load_plugin


@pytest.fixture
def plugin() -> Iterator[LoadedForTests]:
    """The plugin, loaded as its pod loads it."""
    with load_plugin(Path(__file__).parent) as loaded:
        yield loaded


def test_it_greets(plugin: LoadedForTests) -> None:
    assert plugin.call("greet", name="Ann") == "Hello, Ann!"


def test_the_greeting_can_be_read(plugin: LoadedForTests) -> None:
    assert plugin.get("/greeting").json() == {"greeting": "Hello"}
