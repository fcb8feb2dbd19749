"""Which plugins a plugin needs, and what is said when they are not there, do not fit or lead back to it."""

import pytest
from pydantic import ValidationError

from slipway_crds.plugins.dependencies import dependency_problems
from slipway_crds.plugins.metadata import InvalidMetadata, PluginMetadata, checked, combined


def about(version: str = "1.0.0", *dependencies: str) -> PluginMetadata:
    return PluginMetadata(name="any", version=version, dependencies=dependencies)


KNOWN = {
    "agent-metrics": about("1.4.0"),
    "silent": None,
    "early": about("2.0.0rc1"),
    "a": about("1", "b"),
    "b": about("1", "c>=1"),
    "c": about("1", "a"),
    "on-a-cycle": about("1", "a"),
    "self": about("1", "self"),
}


@pytest.mark.parametrize(
    ("dependencies", "reason", "words"),
    [
        (("agent_metrics>=1.2,<2",), None, ""),
        (("Agent-Metrics",), None, ""),
        (("silent",), None, ""),
        (("early>=2.0.0rc1",), None, ""),
        (("on-a-cycle",), None, ""),
        (("other~=1.0",), "WaitingForPlugin", "Plugin other ~=1.0: apply it"),
        (("silent>=1",), "WaitingForPlugin", "has not said its version"),
        (("agent_metrics>=2",), "DependencyConflict", "agent-metrics >=2, which has version 1.4.0"),
        (("agent_metrics >= one",), "InvalidMetadata", "like agent_metrics>=1.2,<2"),
    ],
)
def test_a_dependency_is_met_or_named(dependencies: tuple[str, ...], reason: str | None, words: str) -> None:
    problems = dependency_problems("mine", {**KNOWN, "mine": about("1", *dependencies)})
    assert [each.reason for each in problems] == ([reason] if reason else [])
    assert all(words in each.message for each in problems)
    assert all(each.waiting == (reason == "WaitingForPlugin") for each in problems)


@pytest.mark.parametrize(("name", "way"), [("a", "a needs b needs c needs a"), ("self", "self needs self")])
def test_a_cycle_is_refused_by_its_names(name: str, way: str) -> None:
    (problem,) = dependency_problems(name, KNOWN)
    assert (problem.reason, problem.waiting) == ("CyclicDependencies", False)
    assert problem.message.startswith(way)


def test_a_plugin_that_says_nothing_needs_nothing() -> None:
    assert dependency_problems("silent", KNOWN) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "1.0-x-y-z"},
        {"dependencies": ("x >=",)},
        {"openapi_extensions": {"paths": {}}},
    ],
)
def test_metadata_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((InvalidMetadata, ValidationError)):
        checked(PluginMetadata.model_validate({"name": "any", "version": "1", **wrong}))


def test_code_and_manifest_say_it_together() -> None:
    code = PluginMetadata(name="mine", version="2", dependencies=("a",), openapi_extensions={"x-one": 1, "x-two": 2})
    manifest = PluginMetadata(
        name="theirs", version="1", author="Ann", dependencies=("a", "b"), openapi_extensions={"x-two": 0, "x-three": 3}
    )
    both = combined(code, manifest)
    assert both == PluginMetadata(
        name="mine",
        version="2",
        author="Ann",
        dependencies=("a", "b"),
        openapi_extensions={"x-one": 1, "x-two": 2, "x-three": 3},
    )
    assert (combined(code, None), combined(None, manifest), combined(None, None)) == (code, manifest, None)
