"""What tests of agents of pydantic-ai have in common: documents, a schema, and looks at what a model was sent."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.model_agents import close_all
from tests.support.model_server import Asked, Call, Reply

HANDBOOK = """# Tea

Green tea is brewed at eighty degrees.

# Cats

Cats sleep for most of the day.
"""
SEARCH = Reply(calls=(Call("search_documents", {"query": "How hot is the water for green tea?"}),))
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 2}, "degrees": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
async def models_closed() -> AsyncIterator[None]:
    """No model of a test is left open."""
    yield
    await close_all()


def messages(asked: Asked) -> list[dict[str, Any]]:
    """What a model was sent."""
    found: list[dict[str, Any]] = asked.body["messages"]
    return found


def tool_names(asked: Asked) -> list[str]:
    """The tools that a model was offered."""
    return [each["function"]["name"] for each in asked.body.get("tools", [])]
