"""Names on the federated server."""

import re

import pytest

from slipway_runtime.gateway.mcp.names import prefixes
from slipway_runtime.gateway.mcp.sources import SourceKey
from slipway_runtime.tool_names import LONGEST, Names

TAKEN = re.compile("[a-zA-Z0-9_-]{1,64}")


def agent(namespace: str, name: str) -> SourceKey:
    return SourceKey("agents", namespace, name)


def test_the_oldest_has_the_bare_name() -> None:
    plugin = SourceKey("plugins", "b", "hr")
    known = [("2026-03-01", agent("a", "hr")), ("2026-01-01", plugin), ("2026-02-01", agent("b", "it"))]
    assert prefixes(known) == {plugin: "hr", agent("b", "it"): "it", agent("a", "hr"): "a-hr"}
    assert prefixes(reversed(known)) == prefixes(known)


def test_no_two_sources_share_a_prefix() -> None:
    known = [
        ("1", agent("x", "a-b")),
        ("2", agent("z", "b")),
        ("3", agent("a", "b")),
        ("4", SourceKey("plugins", "a", "b")),
        ("5", SourceKey("plugins", "x", "a-b")),
    ]
    found = prefixes(known)
    assert len(set(found.values())) == len(known)
    assert found[agent("z", "b")] == "b"
    assert re.fullmatch("a-b-[0-9]{6}", found[agent("a", "b")])


@pytest.mark.parametrize("tool", ["ask", "x" * 128, "a.b/c", "ü", "ask__more", ""])
@pytest.mark.parametrize("prefix", ["hr", "n" * 63])
def test_names_fit_and_lead_back(prefix: str, tool: str) -> None:
    names = Names(prefix, [tool, "other"])
    outer = names.outer(tool)
    assert TAKEN.fullmatch(outer)
    assert len(outer) <= LONGEST
    assert names.inner(outer) == tool
    assert names.inner("hr__nothing") is None


def test_names_that_only_differ_where_they_are_cut_stay_apart() -> None:
    tools = [f"{'x' * 100}{number}" for number in range(50)] + ["a.b", "a/b", "a_b"]
    names = Names("hr", tools)
    assert len({names.outer(tool) for tool in tools}) == len(tools)
    assert [names.inner(names.outer(tool)) for tool in tools] == tools


def test_ten_thousand_tools() -> None:
    tools = [f"tool{number}" for number in range(10_000)]
    names = Names("hr", tools)
    assert names.outer("tool9999") == "hr__tool9999"
    assert names.inner("hr__tool1") == "tool1"
