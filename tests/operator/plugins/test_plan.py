"""What the operator makes of a Plugin, and what its status says."""

from typing import Any

import pytest

from slipway_crds.plugins.connector import ConnectorConfig, authorities_file
from slipway_crds.plugins.model import Plugin
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import Child, project
from slipway_operator.plugins.plan import PluginView, plan_plugin
from slipway_operator.plugins.reports import ServerReport, read_report
from tests.support.operator_builds import NOW, SETTINGS, resource
from tests.support.operator_objects import CREATED

PLAIN: dict[str, Any] = {"url": "https://mcp.example.com/mcp"}
TOKEN: dict[str, Any] = {"url": "https://mcp.example.com:8443/mcp", "tokenRef": {"name": "tools", "key": "token"}}
SERVING = {"era": "2026-07-28", "protocolVersion": "2026-07-28", "toolCount": 2, "tools": ["a", "b"], "reason": ""}


def planned(mcp: dict[str, Any], report: dict[str, Any] | None = None, **view: Any) -> Plan:
    plugin = Plugin.model_validate(
        {"metadata": {"name": "tools", "namespace": "demo"}, "spec": {"type": "mcp", "mcp": mcp}}
    )
    given = {"children": (), "report": read_report(report) if report else None, **view}
    made = PluginView(resource=resource(plugin), plugin=plugin, **given)
    return plan_plugin(made, SETTINGS, gateway_url="http://gateway/", now=NOW)


def stored(manifest: Any) -> Child:
    """What was applied, as the API server has it."""
    added = {"uid": f"uid-{manifest['kind']}", "resourceVersion": "1", "generation": 1, "creationTimestamp": CREATED}
    return project(manifest["kind"], {**manifest, "metadata": {**manifest["metadata"], **added}})


def condition(plan: Plan, kind: str) -> Any:
    status: Any = plan.status
    (found,) = [each for each in status["conditions"] if each["type"] == kind]
    return found


def ready(plan: Plan) -> tuple[str, str]:
    found = condition(plan, "Ready")
    return found["status"], found["reason"]


def manifests_of(plan: Plan) -> dict[str, Any]:
    return {each.manifest["kind"]: each.manifest for each in plan.apply}


def test_a_server_that_needs_nothing_gets_nothing() -> None:
    plan = planned(PLAIN, SERVING)
    assert (plan.apply, plan.delete) == ((), ())
    assert ready(plan) == ("True", "Serving")
    assert plan.status["phase"] == "Ready"
    assert plan.status["url"] == "http://gateway/plugins/demo/tools/mcp"
    told = {name: plan.status[name] for name in ("era", "protocolVersion", "toolCount", "tools")}
    assert told == {"era": "2026-07-28", "protocolVersion": "2026-07-28", "toolCount": 2, "tools": ["a", "b"]}
    assert "lastError" not in plan.status


@pytest.mark.parametrize(
    ("report", "reason", "phase"),
    [
        (None, "WaitingForGateway", "Pending"),
        ({"reason": "ServerUnreachable", "error": "no connection"}, "ServerUnreachable", "Pending"),
        ({**SERVING, "reason": "ServerTimeout", "error": "nothing for 60 s"}, "ServerTimeout", "Pending"),
        ({"reason": "ForbiddenAddress", "error": "a private address"}, "ForbiddenAddress", "Stalled"),
        ({"reason": "DigestMismatch", "error": "it was changed"}, "DigestMismatch", "Stalled"),
        ({"reason": "SourceMissing", "error": "create it"}, "SourceMissing", "Pending"),
        ({"reason": "a b", "error": ""}, "ServerFailed", "Pending"),
    ],
)
def test_why_a_plugin_is_not_ready(report: dict[str, Any] | None, reason: str, phase: str) -> None:
    plan = planned(PLAIN, report)
    assert ready(plan) == ("False", reason)
    assert plan.status["phase"] == phase
    assert plan.status.get("lastError") == ((report or {}).get("error") or None)


def test_what_is_left_out_is_told() -> None:
    plan = planned(PLAIN, {**SERVING, "note": "9000 tools beyond the first 1000 are left out: choose with tools.allow"})
    assert condition(plan, "ToolsLimited")["message"].startswith("9000 tools beyond")
    assert ready(plan) == ("True", "Serving")


def test_a_token_makes_a_connector_in_the_namespace() -> None:
    plan = planned(TOKEN)
    made = manifests_of(plan)
    assert sorted(made) == ["Deployment", "NetworkPolicy", "Service", "ServiceAccount"]
    assert {each["metadata"]["name"] for each in made.values()} == {"tools-connector"}
    assert {each["metadata"]["namespace"] for each in made.values()} == {"demo"}
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["args"] == ["connector"]
    (credentials,) = [each for each in pod["volumes"] if each["name"] == "credentials"]
    assert credentials["projected"]["sources"] == [
        {"secret": {"name": "tools", "optional": True, "items": [{"key": "token", "path": "headers/authorization"}]}}
    ]
    assert ready(plan) == ("False", "WaitingForConnector")


@pytest.mark.proves("Plugin.mcp.tls.*")
def test_authorities_are_mounted_for_the_connector() -> None:
    plan = planned({**PLAIN, "tls": {"caBundleRef": {"name": "authorities", "key": "ca.crt"}}})
    pod = manifests_of(plan)["Deployment"]["spec"]["template"]["spec"]
    (credentials,) = [each for each in pod["volumes"] if each["name"] == "credentials"]
    assert credentials["projected"]["sources"] == [
        {"configMap": {"name": "authorities", "optional": True, "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    ]
    (config,) = [each["value"] for each in pod["containers"][0]["env"] if each["name"] == "SLIPWAY_CONNECTOR"]
    assert authorities_file(ConnectorConfig.model_validate_json(config).plugin()) == "ca.crt"


def test_the_policy_of_a_connector_opens_the_port_of_its_server_and_no_metadata() -> None:
    policy = manifests_of(planned(TOKEN))["NetworkPolicy"]
    dns, server = policy["spec"]["egress"]
    assert [port["port"] for port in dns["ports"]] == [53, 53]
    assert [port["port"] for port in server["ports"]] == [8443]
    assert "169.254.0.0/16" in str(server["to"])
    sources = [peer["podSelector"]["matchLabels"] for peer in policy["spec"]["ingress"][0]["from"]]
    assert [each["slipway.dev/component"] for each in sources] == ["gateway", "operator"]


def test_a_removed_token_removes_the_connector() -> None:
    children = tuple(stored(each.manifest) for each in planned(TOKEN).apply)
    gone = planned(PLAIN, SERVING, children=children)
    assert {each.child.kind for each in gone.delete} == {"Deployment", "NetworkPolicy", "Service", "ServiceAccount"}
    assert gone.apply == ()


def test_a_connector_that_lies_cannot_make_a_status_long() -> None:
    report = read_report(
        {
            "era": "2026-07-28",
            "toolCount": 10**30,
            "tools": ["x" * 10_000] * 10_000 + [{}],
            "error": "e\n" * 10_000,
            "reason": "R" * 1000,
            "note": 7,
        }
    )
    assert report is not None
    assert report.count is None
    assert len(report.tools) == 100
    assert {len(name) for name in report.tools} == {128}
    assert len(report.error) <= 1000
    assert "\n" not in report.error
    assert len(report.reason) == 64
    assert read_report({"era": "2031"}) is None
    assert read_report({}) is None
    assert ServerReport(era="2026-07-28").well
