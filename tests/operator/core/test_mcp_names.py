"""Names on the federated MCP server: given once by the operator, the oldest object's first, and kept."""

from dataclasses import replace
from typing import Any

from slipway_crds.plugins.model import Plugin
from slipway_operator.core.cache import Cache, Resource
from slipway_operator.core.mcp_names import McpNames
from slipway_operator.core.plan import Plan
from tests.support.operator_builds import agent, index, resource


def agent_in(namespace: str, *, uid: str, created: str = "", name: str = "support", written: str = "") -> Resource:
    made = resource(agent(), status={"mcpName": written} if written else {})
    key = made.key._replace(namespace=namespace, name=name)
    return replace(made, key=key, uid=uid, created=created)


def plugin_in(namespace: str, *, uid: str, created: str = "") -> Resource:
    spec: dict[str, Any] = {"type": "mcp", "mcp": {"url": "https://mcp.example.com/mcp"}}
    plugin = Plugin.model_validate({"metadata": {"name": "support", "namespace": namespace}, "spec": spec})
    return replace(resource(plugin), uid=uid, created=created)


def cached(*resources: Resource) -> Cache:
    cache = Cache()
    for each in resources:
        cache.put_resource(each)
    return cache


def test_the_oldest_object_has_the_bare_name_whichever_is_looked_at_first() -> None:
    young, old, plugin = (
        agent_in("a", uid="1", created="2026-03-01T00:00:00Z"),
        agent_in("b", uid="2", created="2026-01-01T00:00:00Z"),
        plugin_in("a", uid="3", created="2026-04-01T00:00:00Z"),
    )
    names = McpNames(cached(young, old, plugin, resource(index())))
    assert [names.of(each) for each in (young, plugin, old)] == ["a-support", names.of(plugin), "support"]
    assert names.of(plugin).startswith("a-support-")


def test_a_name_stays_when_the_older_object_goes_and_for_the_next_operator() -> None:
    old, young = agent_in("b", uid="2", created="2026-01-01T00:00:00Z"), agent_in("a", uid="1", created="2026-03-01")
    cache = cached(old, young)
    names = McpNames(cache)
    assert (names.of(old), names.of(young)) == ("support", "a-support")
    cache.drop_resource(old.key, old.uid)
    assert names.of(young) == "a-support"
    written = agent_in("a", uid="1", created="2026-03-01", written="a-support")
    assert McpNames(cached(written)).of(written) == "a-support"
    another = agent_in("c", uid="4", created="2026-05-01")
    cache.put_resource(another)
    assert names.of(another) == "support", "the name is free"


def test_an_object_that_was_made_again_begins_anew() -> None:
    first = agent_in("a", uid="1")
    cache = cached(first)
    names = McpNames(cache)
    assert names.of(first) == "support"
    cache.drop_resource(first.key, first.uid)
    other = agent_in("b", uid="2")
    cache.put_resource(other)
    assert names.of(other) == "support"
    again = agent_in("a", uid="3")
    cache.put_resource(again)
    assert names.of(again) == "a-support"


def test_a_name_that_somebody_wrote_into_two_statuses_is_one_objects() -> None:
    one, two = agent_in("a", uid="1", created="1", written="hr"), agent_in("b", uid="2", created="2", written="hr")
    names = McpNames(cached(one, two))
    assert (names.of(one), names.of(two)) == ("hr", "support")


def test_the_status_has_it() -> None:
    one = agent_in("a", uid="1")
    plan = McpNames(cached(one)).named(one, Plan(status={"phase": "Ready"}))
    assert plan.status == {"phase": "Ready", "mcpName": "support"}
