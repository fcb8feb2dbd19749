"""Which agents use a Plugin: those that call its tools run its version, others that of their revision."""

from typing import Any

from slipway_crds.contract import CONFIG_KEY
from slipway_crds.plugins.connector import connector_config, version_of
from slipway_crds.plugins.model import Plugin
from slipway_crds.runtimeconfig import AgentConfig, MiddlewareConfig, RuntimeConfig
from slipway_operator.core.cache import Cache, Resource, resource_of
from slipway_operator.core.projections import Child, project
from slipway_operator.plugins.plan import PluginView, plan_plugin
from slipway_operator.plugins.users import PluginUser, user_of
from tests.support.operator_builds import NOW, SETTINGS, resource
from tests.support.operator_objects import CREATED


def guard(**config: Any) -> Plugin:
    spec = {"type": "python", "python": {"module": {"name": "code", "key": "guard.py"}}, "config": config}
    return Plugin.model_validate({"metadata": {"name": "guard", "namespace": "demo"}, "spec": spec})


def agent(name: str, revision: str = "") -> Resource:
    metadata = {"name": name, "namespace": "demo", "uid": name, "resourceVersion": "1"}
    status = {"revisions": [{"name": revision}]} if revision else {}
    return resource_of("Agent", {"metadata": metadata, "spec": {"architecture": "pydantic-ai"}, "status": status})


def config_map(revision: str, *middleware: MiddlewareConfig) -> Child:
    config = AgentConfig(
        namespace="demo",
        name="desk",
        architecture="pydantic-ai",
        knowledge=(),
        session_ttl_seconds=60,
        session_max_turns=1,
        in_flight=1,
        request_timeout_seconds=60,
        middleware=middleware,
    )
    data = {CONFIG_KEY: RuntimeConfig(agents=(config,)).canonical().decode()}
    added = {"uid": "c", "resourceVersion": "1", "creationTimestamp": CREATED, "name": revision, "namespace": "demo"}
    return project("ConfigMap", {"metadata": added, "data": data})


def test_an_agent_runs_the_code_that_its_revision_began_with() -> None:
    before, after = guard(level=1), guard(level=2)
    runs = MiddlewareConfig(name="guard", plugin="guard", spec=connector_config(before).spec)
    made = user_of(agent("desk", "desk-1"), [config_map("desk-1", runs)], plugin="guard", version=version_of(after))
    assert made == PluginUser("desk", "desk-1", version_of(before))
    assert version_of(before) != version_of(after)


def test_an_agent_that_only_calls_tools_uses_what_the_plugin_is_now() -> None:
    version = version_of(guard())
    called = user_of(agent("desk", "desk-1"), [config_map("desk-1")], plugin="guard", version=version)
    assert called == PluginUser("desk", "desk-1", version)
    assert user_of(agent("new"), [], plugin="guard", version=version) == PluginUser("new")


def test_the_status_names_a_version_and_its_agents() -> None:
    plugin = guard()
    users = tuple(PluginUser(f"a{number:03}", "r", "v") for number in range(150, 0, -1))
    view = PluginView(resource=resource(plugin), plugin=plugin, children=(), users=users)
    status: Any = plan_plugin(view, SETTINGS, gateway_url="http://gateway/", now=NOW).status
    assert status["version"] == version_of(plugin)
    assert len(status["agents"]) == 100
    assert status["agents"][0] == {"name": "a001", "revision": "r", "version": "v"}


def test_another_version_wakes_the_agents_that_refer_to_the_plugin() -> None:
    cache = Cache()
    metadata = {"name": "desk", "namespace": "demo", "uid": "desk", "resourceVersion": "1"}
    tools = [{"name": "guard", "pluginRef": {"name": "guard"}}]
    models = [{"name": "m", "provider": "openai-compatible", "model": "x", "baseURL": "http://llm.models.svc/v1"}]
    spec = {"architecture": "pydantic-ai", "models": models, "tools": tools}
    desk = resource_of("Agent", {"metadata": metadata, "spec": spec})
    assert desk.model is not None, desk.error
    cache.put_resource(desk)

    def woken(version: str, number: int) -> bool:
        plugin = {"name": "guard", "namespace": "demo", "uid": "guard", "resourceVersion": str(number)}
        given = guard().model_dump(mode="json", by_alias=True, exclude_defaults=True)["spec"]
        status = {"version": version}
        return desk.key in cache.put_resource(
            resource_of("Plugin", {"metadata": plugin, "spec": given, "status": status})
        )

    assert woken("1", 1)
    assert not woken("1", 2)
    assert woken("2", 3)
