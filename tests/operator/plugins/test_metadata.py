"""What a Plugin's status says of the plugin, and of the plugins that it needs."""

from typing import Any

import pytest

from slipway_crds.plugins.dependencies import DependencyProblem
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.model import Plugin
from slipway_operator.core.plan import Plan
from slipway_operator.plugins.plan import PluginView, plan_plugin
from slipway_operator.plugins.reports import read_report
from tests.support.operator_builds import NOW, SETTINGS, resource

SAID = {"name": "word_count", "version": "1.2.0", "dependencies": ["clock>=1"], "openapiExtensions": {"x-words": 1}}
CONFLICT = DependencyProblem("DependencyConflict", "it needs the Plugin clock >=1, which has version 0.1")
MISSING = DependencyProblem("WaitingForPlugin", "it needs the Plugin clock >=1: apply it", waiting=True)
SERVING = {"era": "2026-07-28", "protocolVersion": "2026-07-28", "toolCount": 0, "tools": []}
WASM = {"source": {"url": "https://example.com/words.wasm"}}


def planned(*dependencies: DependencyProblem, metadata: PluginMetadata | None = None, **spec: Any) -> Plan:
    given = spec or {"type": "mcp", "mcp": {"url": "https://mcp.example.com/mcp"}}
    plugin = Plugin.model_validate({"metadata": {"name": "words", "namespace": "demo"}, "spec": given})
    view = PluginView(
        resource=resource(plugin),
        plugin=plugin,
        children=(),
        report=read_report(SERVING),
        metadata=metadata,
        dependencies=dependencies,
    )
    return plan_plugin(view, SETTINGS, gateway_url="http://gateway/", now=NOW)


def conditions(plan: Plan) -> dict[str, Any]:
    status: Any = plan.status
    return {each["type"]: each for each in status["conditions"]}


@pytest.mark.proves("Plugin.metadata.name", "Plugin.metadata.version")
def test_the_status_has_the_metadata() -> None:
    plan = planned(metadata=PluginMetadata.model_validate(SAID))
    assert plan.status["metadata"] == {**SAID, "description": "", "author": ""}
    assert conditions(plan)["Ready"]["reason"] == "Serving"
    assert "metadata" not in planned().status


def test_versions_that_do_not_fit_are_for_a_person() -> None:
    plan = planned(MISSING, CONFLICT)
    found = conditions(plan)
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("False", "DependencyConflict")
    assert (found["Stalled"]["status"], found["Stalled"]["reason"]) == ("True", "DependencyConflict")
    assert found["Ready"]["message"] == "It needs the Plugin clock >=1, which has version 0.1."
    assert plan.status["phase"] == "Stalled"


def test_a_plugin_that_is_missing_is_waited_for() -> None:
    plan = planned(MISSING)
    assert conditions(plan)["Ready"]["reason"] == "WaitingForPlugin"
    assert "Stalled" not in conditions(plan)


def test_code_is_not_started_before_what_it_needs_is_there() -> None:
    spec: dict[str, Any] = {"type": "wasm", "wasm": WASM, "digest": f"sha256:{64 * 'a'}"}
    assert "Deployment" not in {each.manifest["kind"] for each in planned(MISSING, **spec).apply}
    assert "Deployment" in {each.manifest["kind"] for each in planned(**spec).apply}


@pytest.mark.parametrize(
    "metadata",
    [
        "text",
        {"name": "a"},
        {**SAID, "version": "latest"},
        {**SAID, "unknown": 1},
        {**SAID, "openapiExtensions": {"paths": {}}},
        {**SAID, "openapiExtensions": {"x-long": "x" * 20_000}},
    ],
)
def test_a_pod_says_nothing_that_is_not_metadata(metadata: object) -> None:
    report = read_report({**SERVING, "metadata": metadata})
    assert report is not None
    assert report.metadata is None
