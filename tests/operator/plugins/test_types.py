"""What the operator makes of each type of Plugin: one pod, what is mounted there, and where it may connect to."""

import json
from typing import Any

import pytest

from slipway_crds.plugins.connector import ConnectorConfig
from slipway_crds.plugins.model import Plugin
from slipway_operator.agents.builders import agent_objects
from slipway_operator.core.inputs import labels
from slipway_operator.core.plan import Plan
from slipway_operator.plugins.plan import PluginView, plan_plugin
from tests.support.network_policies import Pod, connects
from tests.support.operator_builds import NOW, SETTINGS, agent, owner, resource

DIGEST = "sha256:" + "0" * 64
IMAGE = f"registry.example.com/issues@{DIGEST}"


def planned(**spec: Any) -> Plan:
    metadata = {"name": "tools", "namespace": "demo"}
    plugin = Plugin.model_validate({"metadata": metadata, "spec": spec})
    view = PluginView(resource=resource(plugin), plugin=plugin, children=())
    return plan_plugin(view, SETTINGS, gateway_url="http://gateway/", now=NOW)


def status_of(plan: Plan) -> Any:
    return plan.status


def made(**spec: Any) -> dict[str, Any]:
    """The manifests by kind."""
    return {each.manifest["kind"]: each.manifest for each in planned(**spec).apply}


def pod_of(objects: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return pod


def told(objects: dict[str, Any]) -> ConnectorConfig:
    """What the connector is started with."""
    env = {each["name"]: each.get("value") for each in pod_of(objects)["containers"][0]["env"]}
    return ConnectorConfig.model_validate_json(env["SLIPWAY_CONNECTOR"] or "")


def mounted(objects: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The files of the connector: what each is a key of."""
    (volume,) = [each for each in pod_of(objects)["volumes"] if each["name"] == "credentials"]
    files = {}
    for source in volume["projected"]["sources"]:
        ((_, ref),) = source.items()
        (item,) = ref["items"]
        files[item["path"]] = (ref["name"], item["key"])
    return files


def ports_out(objects: dict[str, Any]) -> list[int]:
    rules = objects["NetworkPolicy"]["spec"].get("egress", [])
    return [port["port"] for rule in rules for port in rule.get("ports", [])]


@pytest.mark.proves(
    "Plugin.mcp.image.name",
    "Plugin.mcp.image.port",
    "Plugin.mcp.image.command",
    "Plugin.mcp.image.args",
    "Plugin.mcp.image.env[].*",
    "Plugin.mcp.image.resources.*",
    "Plugin.mcp.image.pullSecrets[].name",
    "Plugin.permissions.*",
)
def test_an_image_runs_beside_the_connector_and_gets_nothing_that_it_was_not_given() -> None:
    objects = made(
        type="mcp",
        mcp={
            "image": {
                "name": IMAGE,
                "port": 9000,
                "command": ["/bin/issues"],
                "args": ["--verbose"],
                "env": [{"name": "LEVEL", "value": "info"}],
                "resources": {"limits": {"memory": "1Gi"}},
                "pullSecrets": [{"name": "registry"}],
            },
            "tokenRef": {"name": "inner", "key": "token"},
        },
        config={"team": "search"},
        permissions={"secrets": ["tracker"], "egress": [{"cidr": "10.20.0.0/16", "ports": [5432]}]},
    )
    pod = pod_of(objects)
    connector, program = pod["containers"]
    assert (connector["args"], program["image"]) == (["connector"], IMAGE)
    assert (program["command"], program["args"]) == (["/bin/issues"], ["--verbose"])
    assert program["securityContext"] == connector["securityContext"]
    assert pod["automountServiceAccountToken"] is False
    env = {each["name"]: each["value"] for each in program["env"]}
    assert env["PORT"] == "9000"
    assert env["LEVEL"] == "info"
    assert json.loads(env["SLIPWAY_PLUGIN_CONFIG"]) == {"team": "search"}
    assert program["resources"]["limits"]["memory"] == "1Gi"
    assert {"name": "registry"} in pod["imagePullSecrets"]
    mounts = {each["mountPath"]: each["name"] for each in program["volumeMounts"]}
    assert mounts == {"/tmp": "plugin-tmp", "/etc/slipway/secrets/tracker": "secret-0"}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["secret-0"]["secret"]["secretName"] == "tracker"
    assert ports_out(objects) == [53, 53, 5432]
    opened = objects["NetworkPolicy"]["spec"]["egress"][1]["to"]
    assert opened == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]


def test_an_image_without_permissions_reaches_nothing() -> None:
    objects = made(type="mcp", mcp={"image": {"name": IMAGE}})
    policy = objects["NetworkPolicy"]["spec"]
    assert "Egress" in policy["policyTypes"]
    assert "egress" not in policy
    assert policy["ingress"][0]["ports"][0]["port"] == 8080


@pytest.mark.proves("Plugin.digest")
def test_an_image_with_a_tag_is_pinned_by_the_digest() -> None:
    objects = made(type="mcp", mcp={"image": {"name": "registry.example.com/issues:1.2"}}, digest=DIGEST)
    assert pod_of(objects)["containers"][1]["image"] == f"registry.example.com/issues:1.2@{DIGEST}"


@pytest.mark.proves("Plugin.openapi.tls.*")
def test_a_document_and_credentials_are_mounted_and_only_the_api_is_reached() -> None:
    objects = made(
        type="openapi",
        openapi={
            "source": {"configMapRef": {"name": "shop", "key": "openapi.yaml"}},
            "baseURL": "https://shop.example.com:8443/v1",
            "tokenRef": {"name": "shop", "key": "token"},
            "tls": {"caBundleRef": {"name": "company-ca", "key": "ca.crt"}},
        },
        signature={"value": "A" * 64, "keys": [{"configMapRef": {"name": "keys", "key": "k.pem"}}]},
    )
    assert mounted(objects) == {
        "headers/authorization": ("shop", "token"),
        "ca.crt": ("company-ca", "ca.crt"),
        "source": ("shop", "openapi.yaml"),
        "keys/0.pem": ("keys", "k.pem"),
    }
    assert ports_out(objects) == [53, 53, 8443]
    assert len(pod_of(objects)["containers"]) == 1


@pytest.mark.proves("Plugin.python.*")
def test_python_is_mounted_and_told_to_the_connector() -> None:
    module = made(
        type="python", python={"module": {"name": "hello", "key": "hello.py"}, "entry": "hello:plugin"}, config={"a": 1}
    )
    assert mounted(module) == {"source": ("hello", "hello.py")}
    _, anywhere = module["NetworkPolicy"]["spec"]["egress"]
    assert "ports" not in anywhere  # trusted, so that only metadata is closed to it
    assert "169.254.0.0/16" in str(anywhere["to"])
    plugin = told(module).plugin()
    assert plugin.spec.python is not None
    assert plugin.spec.python.entry == "hello:plugin"
    assert plugin.spec.config == {"a": 1}
    wheel = made(type="python", python={"wheel": {"configMapRef": {"name": "hello", "key": "w"}}}, digest=DIGEST)
    assert mounted(wheel) == {"source": ("hello", "w")}
    fetched = made(type="python", python={"wheel": {"url": "https://files.example.com/a.whl"}}, digest=DIGEST)
    assert mounted(fetched) == {}
    assert ports_out(fetched) == [53, 53, 443]


def test_only_python_that_asks_for_it_gets_the_login_to_the_store() -> None:
    python = {"module": {"name": "hello", "key": "hello.py"}}
    for spec, names in (
        ({"type": "python", "python": python}, []),
        ({"type": "python", "python": {**python, "store": True}}, ["store"]),
        ({"type": "mcp", "mcp": {"image": {"name": IMAGE}}}, []),
    ):
        plugin = Plugin.model_validate({"metadata": {"name": "tools", "namespace": "demo"}, "spec": spec})
        view = PluginView(resource=resource(plugin), plugin=plugin, children=(), store_secret="slipway-store-x")
        plan = plan_plugin(view, SETTINGS, gateway_url="http://gateway/", now=NOW)
        (pod,) = [pod_of({"Deployment": each.manifest}) for each in plan.apply if each.manifest["kind"] == "Deployment"]
        secrets = [each["name"] for each in pod["volumes"] if each.get("secret", {}).get("secretName", "") != ""]
        assert secrets == names


@pytest.mark.proves("Plugin.python.agentMetrics")
def test_a_plugin_that_may_read_metrics_finds_and_reaches_the_agents_and_no_other_plugin_does() -> None:
    python = {"module": {"name": "hello", "key": "hello.py"}}
    closed = [each.manifest for each in planned(type="python", python=python).apply]
    opened = [each.manifest for each in planned(type="python", python={**python, "agentMetrics": True}).apply]
    host = agent_objects(owner(), SETTINGS, agent().spec, [], serving="support-1")
    host_pod = Pod("demo", labels("agent", {"slipway.dev/agent": "support"}))
    reader = Pod("demo", labels("connector", {"slipway.dev/plugin": "tools"}))

    def let_in(objects: list[Any], source: Pod, port: int = 8081) -> bool:
        policies = [each for each in [*objects, *host] if each["kind"] == "NetworkPolicy"]
        return connects(policies, source, host_pod, port)

    assert let_in(opened, reader)
    assert not let_in(closed, reader)
    assert not let_in(opened, reader, port=8080)
    assert not let_in(opened, Pod("demo", labels("connector", {"slipway.dev/plugin": "other"})))
    assert not let_in(opened, Pod("others", reader.labels))
    named: Any = {(each["kind"], each["metadata"]["name"]): each for each in opened}
    service = named["Service", "tools-connector-metrics"]["spec"]
    assert service["clusterIP"] == "None"
    assert service["selector"].items() <= host_pod.labels.items()
    container = named["Deployment", "tools-connector"]["spec"]["template"]["spec"]["containers"][0]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["SLIPWAY_AGENT_METRICS"] == "tools-connector-metrics.demo.svc:8081"
    assert "SLIPWAY_AGENT_METRICS" not in str(closed)


@pytest.mark.proves("Plugin.wasm.*", "Plugin.config")
def test_a_module_is_mounted_with_its_limits_and_reaches_nothing() -> None:
    objects = made(
        type="wasm",
        wasm={"source": {"configMapRef": {"name": "guard", "key": "guard.wasm"}}, "limits": {"fuel": 5000}},
        digest=DIGEST,
        config={"redact": ["email"]},
    )
    assert mounted(objects) == {"source": ("guard", "guard.wasm")}
    assert ports_out(objects) == []
    plugin = told(objects).plugin()
    assert plugin.spec.wasm is not None
    assert plugin.spec.wasm.limits.fuel == 5000
    assert plugin.spec.config == {"redact": ["email"]}
    assert plugin.spec.digest == DIGEST


def test_a_spec_that_no_process_could_be_started_with_is_told() -> None:
    image = {"image": {"name": IMAGE}}
    plan = planned(type="mcp", mcp=image, config={"a": "x" * 200_000})
    assert plan.apply == ()
    (ready,) = [each for each in status_of(plan)["conditions"] if each["type"] == "Ready"]
    assert (ready["reason"], status_of(plan)["phase"]) == ("PluginTooLarge", "Stalled")
    assert len(planned(type="mcp", mcp=image, config={"a": "x" * 20_000}).apply) == 4


def test_who_may_use_a_plugin_restarts_nothing() -> None:
    spec = {"type": "mcp", "mcp": {"image": {"name": IMAGE}}}
    assert made(**spec)["Deployment"] == made(**spec, access={"groups": ["staff"]})["Deployment"]
