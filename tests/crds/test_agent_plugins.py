"""Plugins around an agent's answers: what they are is a part of the agent's revision."""

from typing import Any

import pytest

from slipway_crds.plugins.model import Plugin
from slipway_crds.references import by_ref
from slipway_crds.resolve import ResolveProblem, Severity, resolve_agent
from slipway_crds.runtimeconfig import AgentConfig, RuntimeConfig
from tests.support.resolving import agent, index

PII: dict[str, Any] = {"name": "pii", "pluginRef": {"name": "pii-guard"}, "required": True}
DIGEST = "sha256:" + "a" * 64
WASM: dict[str, Any] = {
    "type": "wasm",
    "wasm": {"source": {"configMapRef": {"name": "pii-guard", "key": "pii.wasm"}}},
    "digest": DIGEST,
}


def plugin(name: str = "pii-guard", **spec: Any) -> Plugin:
    return Plugin.model_validate({"metadata": {"name": name, "namespace": "demo"}, "spec": WASM | spec})


def resolved(*plugins: Plugin, **spec: Any) -> AgentConfig | tuple[ResolveProblem, ...]:
    return resolve_agent(agent(**({"plugins": [PII]} | spec)), by_ref([index(), *plugins]))


def digest(*plugins: Plugin, **spec: Any) -> str:
    found = resolved(*plugins, **spec)
    assert isinstance(found, AgentConfig)
    return RuntimeConfig(agents=(found,)).digest()


def test_an_entry_resolves_to_the_spec_of_its_plugin() -> None:
    found = resolved(plugin(config={"kinds": ["email"]}))
    assert isinstance(found, AgentConfig)
    (entry,) = found.middleware
    assert (entry.name, entry.plugin, entry.required) == ("pii", "pii-guard", True)
    assert entry.spec == WASM | {"config": {"kinds": ["email"]}}


def test_entries_stay_in_their_order() -> None:
    entries = [PII | {"name": "z"}, PII | {"name": "a"}]
    found = resolved(plugin(), plugins=entries)
    assert isinstance(found, AgentConfig)
    assert [each.name for each in found.middleware] == ["z", "a"]


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "sha256:" + "b" * 64},
        {"config": {"kinds": ["phone"]}},
        {"wasm": WASM["wasm"] | {"limits": {"fuel": 5000}}},
    ],
)
def test_another_version_of_a_plugin_is_another_revision_of_its_agents(other: dict[str, Any]) -> None:
    assert digest(plugin()) != digest(plugin(**other))


def test_who_may_use_a_plugin_and_what_is_at_its_default_make_no_revision() -> None:
    written = WASM["wasm"] | {"limits": {"memory": "64Mi"}}
    assert digest(plugin()) == digest(plugin(access={"groups": ["staff"]}, wasm=written))


def test_a_plugin_that_is_not_there_is_waited_for() -> None:
    (problem,) = resolved()
    assert isinstance(problem, ResolveProblem)
    assert (problem.severity, problem.reason, problem.path) == (
        Severity.WAITING,
        "WaitingForPlugin",
        "spec.plugins[0].pluginRef.name",
    )


def test_a_plugin_without_code_of_its_own_stalls_the_agent() -> None:
    server = Plugin.model_validate(
        {
            "metadata": {"name": "pii-guard", "namespace": "demo"},
            "spec": {"type": "mcp", "mcp": {"url": "https://mcp.example.com/mcp"}},
        }
    )
    (problem,) = resolved(server)
    assert isinstance(problem, ResolveProblem)
    assert (problem.severity, problem.reason) == (Severity.STALLED, "NoMiddleware")
    assert "name one of type python or wasm" in problem.message
