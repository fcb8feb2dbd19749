"""Architectures are a table; a framework is imported when the first agent of its architecture is made."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.factory import FACTORIES, needs_embedder
from tests.support.knowledge import entry
from tests.support.models import agent_config


def test_every_architecture_has_a_factory() -> None:
    assert set(FACTORIES) == set(get_args(AgentConfig.model_fields["architecture"].annotation))


@pytest.mark.parametrize("framework", ["langgraph", "pydantic_ai"])
def test_no_framework_is_imported_before_it_is_used(framework: str) -> None:
    code = f"import sys, slipway_runtime.agents.factory; sys.exit({framework!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"architecture": "pydantic-ai"}, False),
        ({"architecture": "hybrid"}, False),
        ({"architecture": "pydantic-ai", "knowledge": (entry(),)}, True),
        ({"architecture": "orchestrator"}, True),
    ],
    ids=["pydantic-ai", "hybrid", "documents", "orchestrator"],
)
def test_a_host_loads_the_embedding_model_for_agents_that_embed(fields: Mapping[str, Any], needed: bool) -> None:
    assert needs_embedder(agent_config().model_copy(update=fields)) is needed
