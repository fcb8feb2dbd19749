"""The engines of `tests/runtime/workflows`, with the triggers of their workflows."""

from pathlib import Path

import pytest

from slipway_runtime.workflows.triggers.running import Triggers
from tests.runtime.workflows.conftest import engine as engine
from tests.support.workflows import Engine


@pytest.fixture
def triggers(engine: Engine, tmp_path: Path) -> Triggers:
    """What begins runs by itself; a test starts it."""
    return Triggers(engine.engine, tmp_path / "kafka")
