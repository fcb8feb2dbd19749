"""Names on the federated server."""

import re

import pytest

from slipway_runtime.gateway.mcp.names import Prefixes
from slipway_runtime.gateway.mcp.sources import KnownSource, SourceKey
from slipway_runtime.tool_names import LONGEST, Names

TAKEN = re.compile("[a-zA-Z0-9_-]{1,64}")


def agent(namespace: str, name: str) -> SourceKey:
    return SourceKey("agents", namespace, name)


def known(created: str, key: SourceKey, given: str = "") -> KnownSource:
    return KnownSource(key, created, given)


def test_the_oldest_has_the_bare_name() -> None:
    plugin = SourceKey("plugins", "b", "hr")
    sources = [
        known("2026-03-01", agent("a", "hr")),
        known("2026-01-01", plugin),
        known("2026-02-01", agent("b", "it")),
    ]
    expected = {plugin: "hr", agent("b", "it"): "it", agent("a", "hr"): "a-hr"}
    assert Prefixes().of(sources) == Prefixes().of(reversed(sources)) == expected


def test_no_two_sources_share_a_prefix() -> None:
    keys = [agent("x", "a-b"), agent("z", "b"), agent("a", "b"), SourceKey("plugins", "a", "b")]
    found = Prefixes().of([known(str(at), key) for at, key in enumerate([*keys, SourceKey("plugins", "x", "a-b")])])
    assert len(set(found.values())) == len(keys) + 1
    assert found[agent("z", "b")] == "b"
    assert re.fullmatch("a-b-[0-9]{6}", found[agent("a", "b")])


def test_what_the_status_says_counts_and_two_gateways_agree_whatever_they_saw_before() -> None:
    first, second = known("1", agent("a", "hr"), "hr"), known("2", agent("b", "hr"), "b-hr")
    long_running, fresh = Prefixes(), Prefixes()
    assert long_running.of([second]) == {second.key: "b-hr"}
    assert long_running.of([first, second]) == fresh.of([second, first]) == {first.key: "hr", second.key: "b-hr"}
    assert long_running.of([second]) == {second.key: "b-hr"}, "the older one went"


def test_what_was_given_here_stays_while_the_object_is_there() -> None:
    prefixes, later, earlier = Prefixes(), known("", agent("b", "hr")), known("", agent("a", "hr"))
    assert prefixes.of([later]) == {later.key: "hr"}
    assert prefixes.of([earlier, later]) == {later.key: "hr", earlier.key: "a-hr"}
    assert prefixes.of([earlier]) == {earlier.key: "a-hr"}
    assert prefixes.of([earlier, known("", later.key, "b-hr")])[later.key] == "b-hr"


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
