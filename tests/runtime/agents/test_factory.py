"""Architectures are a table; a framework is imported when the first agent of its architecture is made."""

import subprocess
import sys
from typing import get_args

import pytest

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.factory import FACTORIES


def test_every_architecture_has_a_factory() -> None:
    assert set(FACTORIES) == set(get_args(AgentConfig.model_fields["architecture"].annotation))


@pytest.mark.parametrize("framework", ["langgraph", "pydantic_ai"])
def test_no_framework_is_imported_before_it_is_used(framework: str) -> None:
    code = f"import sys, slipway_runtime.agents.factory; sys.exit({framework!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
