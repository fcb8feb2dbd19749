"""Plugins around an agent's answers, in its pods and in its status."""

from dataclasses import replace
from typing import Any

from slipway_crds.bindings import host_files
from slipway_crds.plugins.model import Plugin
from slipway_crds.references import by_ref
from slipway_crds.resolve import resolve_agent, runtime_config
from slipway_crds.runtimeconfig import AgentConfig
from slipway_operator.agents.builders import Revision, agent_objects, revision_name, revision_objects
from slipway_operator.core.cache import referenced
from slipway_operator.core.plan import Plan
from slipway_operator.core.readiness import SILENT, ReportedReadiness
from tests.support.agent_plans import condition, plan, unavailable, view
from tests.support.operator_builds import SETTINGS, agent, index, owner, resource
from tests.support.operator_objects import deployment

ENTRY = {"name": "pii", "pluginRef": {"name": "pii-guard"}}
DIGEST = "sha256:" + "a" * 64


def plugin(source: dict[str, Any], **spec: Any) -> Plugin:
    wasm = {"type": "wasm", "wasm": {"source": source}, "digest": DIGEST}
    return Plugin.model_validate({"metadata": {"name": "pii-guard", "namespace": "demo"}, "spec": wasm | spec})


def objects(plugin: Plugin) -> list[Any]:
    model = agent(plugins=[ENTRY])
    config = resolve_agent(model, by_ref([index(), plugin]))
    assert isinstance(config, AgentConfig)
    revision = Revision(config=runtime_config(config), files=host_files(model), state="Serving")
    once = agent_objects(owner(), SETTINGS, model.spec, [config], serving=revision.name)
    return [*once, *revision_objects(owner(), SETTINGS, revision, pod=None, store_secret="s")]


def of_kind(found: list[Any], kind: str) -> Any:
    return next(each for each in found if each["kind"] == kind)


def test_code_and_keys_are_in_a_folder_for_each_entry_and_may_come_later() -> None:
    signature = {"value": "a" * 88, "keys": [{"configMapRef": {"name": "keys", "key": "team.pem"}}]}
    found = objects(plugin({"configMapRef": {"name": "pii-guard", "key": "pii.wasm"}}, signature=signature))
    pod = of_kind(found, "Deployment")["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "plugin-0"]
    assert volume["projected"]["sources"] == [
        {"configMap": {"name": "pii-guard", "optional": True, "items": [{"key": "pii.wasm", "path": "source"}]}},
        {"configMap": {"name": "keys", "optional": True, "items": [{"key": "team.pem", "path": "keys/0.pem"}]}},
    ]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "plugin-0"]
    assert mount == {"name": "plugin-0", "mountPath": "/etc/slipway/plugins/pii", "readOnly": True}


def test_code_at_a_url_is_fetched_by_the_pods() -> None:
    found = objects(plugin({"url": "https://files.example.com:8443/pii.wasm"}))
    pod = of_kind(found, "Deployment")["spec"]["template"]["spec"]
    assert [each for each in pod["volumes"] if each["name"].startswith("plugin-")] == []
    egress = of_kind(found, "NetworkPolicy")["spec"]["egress"]
    ports = [port["port"] for rule in egress for port in rule.get("ports", []) if "ipBlock" in str(rule)]
    assert 8443 in ports


def planned(*, available: int = 1, readiness: ReportedReadiness, known: Plugin | None = None) -> Plan:
    model, guard = agent(plugins=[ENTRY]), known or plugin({"configMapRef": {"name": "pii-guard", "key": "pii.wasm"}})
    config = resolve_agent(model, by_ref([index(), guard]))
    assert isinstance(config, AgentConfig)
    conditions = unavailable() if not available else []
    deployed = deployment(revision_name(runtime_config(config)), available=available, conditions=conditions)
    observed = view(deployed, agent=model, readiness=readiness)
    found = resource(guard)
    return plan(replace(observed, referenced={**observed.referenced, found.key: referenced(found)}))


BROKEN = "the plugin pii: its code is not there"


def test_a_plugin_that_fails_is_in_the_status_of_an_agent_that_serves() -> None:
    limited = condition(planned(readiness=ReportedReadiness(plugins=BROKEN)), "PluginsLimited")
    assert (limited["status"], limited["reason"], limited["message"]) == ("True", "PluginFailed", BROKEN)
    well = planned(readiness=SILENT)
    assert condition(well, "PluginsLimited") == {}
    assert condition(well, "Ready")["reason"] == "Serving"
    assert well.wake_after is not None
    assert well.wake_after < 30, "so that the status follows within a minute"


def test_an_agent_waits_for_the_plugins_that_it_requires() -> None:
    told = ReportedReadiness(missing=f"the store; {BROKEN}", plugins=BROKEN)
    ready = condition(planned(available=0, readiness=told), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PluginFailed")
    assert BROKEN in ready["message"]
