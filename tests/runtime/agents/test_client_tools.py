"""Tools of a client: names and schemas that cannot be taken are refused before a model is asked."""

from typing import Any

import pytest

from slipway_runtime.agents.client_tools import check_tools
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import ClientTool


def doubling(levels: int) -> dict[str, Any]:
    """A schema whose definitions each contain the next one twice."""
    definitions: dict[str, Any] = {
        f"d{level}": {"properties": {side: {"$ref": f"#/$defs/d{level + 1}"} for side in "ab"}}
        for level in range(levels)
    }
    return {"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": {**definitions, f"d{levels}": {"type": "string"}}}


TREE = {
    "properties": {"root": {"$ref": "#/$defs/node"}},
    "$defs": {"node": {"properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}},
}


def refused(parameters: dict[str, Any], name: str = "tool") -> str:
    with pytest.raises(Problem) as caught:
        check_tools([ClientTool(name=name, parameters=parameters)], ["own"])
    assert caught.value.reason is Reason.INVALID_REQUEST
    return caught.value.detail


def test_a_schema_that_grows_is_refused() -> None:
    assert "refer less often" in refused(doubling(20))
    cyclic = doubling(20)
    cyclic["$defs"]["d20"] = {"properties": {"again": {"$ref": "#/$defs/d0"}}}
    assert "16 at most" in refused(cyclic)


def test_a_name_of_the_agents_own_is_refused() -> None:
    assert "rename it" in refused({}, name="own")


@pytest.mark.parametrize("parameters", [{}, TREE, doubling(3)], ids=["empty", "a tree", "small"])
def test_other_schemas_are_taken(parameters: dict[str, Any]) -> None:
    check_tools([ClientTool(name="tool", parameters=parameters)], ["own"])
