"""TLS of hosts and connectors: their pods have a certificate and a port, and only the gateway gets there."""

from dataclasses import replace
from typing import Any

import pytest

from slipway_crds.bindings import host_files
from slipway_crds.plugins.model import Plugin
from slipway_crds.references import by_ref
from slipway_crds.resolve import resolve_agent, runtime_config
from slipway_crds.runtimeconfig import AgentConfig
from slipway_operator.agents.builders import Revision, agent_objects, revision_objects
from slipway_operator.plugins.builders import connector_objects
from tests.support.operator_builds import SETTINGS, agent, index, owner

WITH_TLS = replace(SETTINGS, host_tls_secret="slipway-host-tls")


def hosts(settings: Any) -> list[Any]:
    model = agent()
    config = resolve_agent(model, by_ref([index()]))
    assert isinstance(config, AgentConfig)
    revision = Revision(config=runtime_config(config), files=host_files(model), state="Serving")
    return [
        *agent_objects(owner(), settings, model.spec, [config], serving=revision.name),
        *revision_objects(owner(), settings, revision, pod=None, store_secret="store"),
    ]


def connectors(settings: Any) -> list[Any]:
    mcp = {"url": "https://mcp.example.com/mcp", "tokenRef": {"name": "tools", "key": "token"}}
    plugin = Plugin.model_validate(
        {"metadata": {"name": "tools", "namespace": "demo"}, "spec": {"type": "mcp", "mcp": mcp}}
    )
    return [*connector_objects(owner("Plugin", "tools"), settings, plugin)]


def of(objects: list[Any], kind: str) -> Any:
    (found,) = [each for each in objects if each["kind"] == kind]
    return found["spec"]


@pytest.mark.parametrize("build", [hosts, connectors])
def test_pods_speak_tls_with_the_secret_of_their_namespace(build: Any) -> None:
    objects = build(WITH_TLS)
    pod = of(objects, "Deployment")["template"]["spec"]
    (container,) = pod["containers"]
    assert {"name": "https", "containerPort": 8443, "protocol": "TCP"} in container["ports"]
    assert {"name": "SLIPWAY_TLS_DIR", "value": "/etc/slipway/host-tls"} in container["env"]
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == "/etc/slipway/host-tls"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == mount["name"]]
    assert volume["secret"] == {"secretName": "slipway-host-tls", "defaultMode": 0o440}
    assert [(each["name"], each["port"]) for each in of(objects, "Service")["ports"]] == [
        ("http", 8080),
        ("https", 8443),
    ]
    rules = of(objects, "NetworkPolicy")["ingress"]
    (to_tls,) = [each for each in rules if each["ports"] == [{"protocol": "TCP", "port": 8443}]]
    allowed = [each["podSelector"]["matchLabels"]["slipway.dev/component"] for each in to_tls["from"]]
    assert allowed == ["gateway"]


@pytest.mark.parametrize("build", [hosts, connectors])
def test_without_the_value_nothing_speaks_tls(build: Any) -> None:
    assert "8443" not in str(build(SETTINGS))
    assert "host-tls" not in str(build(SETTINGS))
