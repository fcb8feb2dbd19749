"""What the chart renders: complete, restricted, with no more rights than needed, and as the values say."""

import json
import subprocess
import urllib.request
from itertools import pairwise
from typing import Any

import pytest
import yaml

from slipway_crds.egress import LINK_LOCAL_AND_METADATA
from slipway_crds.meta import GROUP
from slipway_crds.registry import KINDS
from slipway_demo.paths import CHART
from slipway_operator.core.policies import METADATA, METRICS_LABEL
from tests.chart.conftest import Render
from tests.support.manifests import environment, find, pod_specs, restricted_problems

MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "given store": {"postgres": {"existingSecret": "store"}},
    "closed network": {
        "image": {"registry": "registry.example:5000/slipway", "tag": "1.2", "pullSecrets": ["one", "two"]},
        "proxy": {"http": "http://proxy:3128", "https": "http://proxy:3128", "noProxy": ".corp"},
        "caBundle": {"configMap": "authorities"},
        "clusterDomain": "corp.internal",
    },
    "open and traced": {
        "gateway": {"auth": {"mode": "open"}, "service": {"type": "LoadBalancer", "port": 8080}},
        "telemetry": {"otlpEndpoint": "https://collector.example"},
        "networkPolicies": {"enabled": False},
    },
    "without kinds": {"crds": {"enabled": False}},
    "behind an ingress": {
        "gateway": {
            "ingress": {"enabled": True, "className": "nginx", "host": "a.example", "tls": {"secretName": "tls"}}
        }
    },
}


def test_lint_finds_nothing(helm: str) -> None:
    done = subprocess.run([helm, "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_chart_renders_the_same_twice(helm: str) -> None:
    """Argo CD compares renderings: a random value would be a difference, and a new password, at every look."""
    command = [helm, "template", "slipway", str(CHART), "--namespace=slipway-system", "--kube-version=1.34.0"]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second


def test_the_chart_holds_no_credential(rendered: list[dict[str, Any]]) -> None:
    """The operator makes them; hashes of API keys are given as values."""
    assert {item["metadata"]["name"] for item in rendered if item["kind"] == "Secret"} <= {"slipway-gateway-keys"}


@pytest.fixture(params=sorted(MATRIX))
def rendered(request: pytest.FixtureRequest, render: Render) -> list[dict[str, Any]]:
    return render(MATRIX[request.param])


def test_pods_pass_the_restricted_standard(rendered: list[dict[str, Any]]) -> None:
    problems = {name: restricted_problems(spec) for name, spec in pod_specs(rendered)}
    assert problems
    assert not any(problems.values()), problems


def test_every_object_is_rendered_once_and_labelled(rendered: list[dict[str, Any]]) -> None:
    names = sorted((item["kind"], item["metadata"]["name"]) for item in rendered)
    assert all(one != other for one, other in pairwise(names))
    for item in rendered:
        if item["kind"] != "CustomResourceDefinition":
            assert item["metadata"]["labels"]["slipway.dev/component"], item["metadata"]["name"]


def test_references_inside_the_release_resolve(rendered: list[dict[str, Any]]) -> None:
    accounts = {item["metadata"]["name"] for item in rendered if item["kind"] == "ServiceAccount"}
    assert all(spec["serviceAccountName"] in accounts for _, spec in pod_specs(rendered))
    for service in (item for item in rendered if item["kind"] == "Service"):
        selected = [
            item
            for item in rendered
            if "template" in item.get("spec", {})
            and service["spec"]["selector"].items() <= item["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert len(selected) == 1, service["metadata"]["name"]


def test_only_operator_and_gateway_get_a_token(rendered: list[dict[str, Any]]) -> None:
    with_token = {name for name, spec in pod_specs(rendered) if spec["automountServiceAccountToken"]}
    assert with_token == {"Deployment slipway-operator", "Deployment slipway-gateway"}


def test_the_operator_may_create_secrets_and_nothing_else_with_them(render: Render) -> None:
    rules = [rule for item in render({}) if item["kind"] in ("ClusterRole", "Role") for rule in item["rules"]]
    on_secrets = [rule["verbs"] for rule in rules if {"secrets", "*"} & set(rule["resources"])]
    assert on_secrets == [["create"]]
    assert not any("*" in rule["verbs"] + rule["apiGroups"] for rule in rules)


def test_the_operator_may_watch_every_kind_and_write_its_status(render: Render) -> None:
    allowed = {
        (resource, verb)
        for rule in find(render({}), "ClusterRole", "slipway-operator")["rules"]
        if GROUP in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    plurals = {kind.PLURAL for kind in KINDS.values()}
    assert {resource.partition("/")[0] for resource, _ in allowed} == plurals
    assert allowed >= {(plural, verb) for plural in plurals for verb in ("list", "watch")}
    assert allowed >= {(f"{plural}/status", "patch") for plural in plurals}


def test_the_gateway_may_only_read(render: Render) -> None:
    rules = find(render({}), "ClusterRole", "slipway-gateway")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}


def test_kinds_are_the_generated_ones_and_stay(render: Render) -> None:
    generated = [yaml.safe_load(path.read_text()) for path in sorted((CHART / "crd-manifests").glob("*.yaml"))]
    rendered = [item for item in render({}) if item["kind"] == "CustomResourceDefinition"]
    assert len(generated) == len(KINDS)
    for item in rendered:
        assert item["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert sorted(rendered, key=lambda item: str(item["metadata"]["name"])) == generated


def test_kinds_go_with_the_release_if_the_values_say_so(render: Render) -> None:
    kinds = [item for item in render({"crds": {"keep": False}}) if item["kind"] == "CustomResourceDefinition"]
    assert kinds
    assert not any(item["metadata"].get("annotations") for item in kinds)


def test_a_private_registry_serves_every_image(render: Render) -> None:
    objects = render({"image": {"registry": "registry.example:5000/slipway", "tag": "1.2", "tags": {"chroma": "9"}}})
    images = {container["image"] for _, spec in pod_specs(objects) for container in spec["containers"]}
    given = environment(find(objects, "Deployment", "slipway-operator")["spec"]["template"]["spec"])
    images |= {value for name, value in given.items() if name.endswith("_IMAGE")}
    host = "registry.example:5000/slipway"
    assert images == {f"{host}/{name}" for name in ("operator:1.2", "runtime:1.2", "postgres:1.2", "chroma:9")}


def test_pull_secrets_reach_every_pod(render: Render) -> None:
    objects = render({"image": {"pullSecrets": ["one", "two"]}})
    for name, spec in pod_specs(objects):
        assert spec["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}], name
    operator = find(objects, "Deployment", "slipway-operator")["spec"]["template"]["spec"]
    assert environment(operator)["SLIPWAY_OPERATOR_IMAGE_PULL_SECRETS"] == "one,two"


def test_a_proxy_reaches_every_pod_but_never_carries_the_cluster(render: Render) -> None:
    values = {"proxy": {"https": "http://proxy:3128", "noProxy": ".corp"}, "clusterDomain": "c.internal"}
    for given in _environments(render(values)):
        assert given["HTTPS_PROXY"] == "http://proxy:3128"
        assert "HTTP_PROXY" not in given
        assert {".svc", ".c.internal", "127.0.0.1", ".corp"} <= set(given["NO_PROXY"].split(","))


def test_the_api_servers_address_bypasses_the_proxy_in_the_form_that_every_client_knows(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clients of operator and gateway go by urllib, to which 10.0.0.0/8 says nothing about 10.96.0.1."""
    for given in _environments(render({"proxy": {"https": "http://proxy:3128"}})):
        # As the kubelet does: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
        monkeypatch.setenv("no_proxy", given["NO_PROXY"].replace("$(KUBERNETES_SERVICE_HOST)", "10.96.0.1"))
        assert urllib.request.proxy_bypass("10.96.0.1")
        assert not urllib.request.proxy_bypass("10.96.0.2")


@pytest.mark.parametrize(
    ("endpoint", "bypasses"),
    [("http://collector.observability:4318", True), ("https://collector.observability:4318", False)],
    ids=["inside, in plain", "outside, with TLS"],
)
def test_a_collector_inside_the_cluster_is_not_looked_for_behind_the_proxy(
    render: Render, endpoint: str, bypasses: bool
) -> None:
    values = {"proxy": {"http": "http://proxy:3128"}, "telemetry": {"otlpEndpoint": endpoint}}
    for given in _environments(render(values)):
        assert ("collector.observability" in given["NO_PROXY"].split(",")) is bypasses


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ({}, [443, 6443]),
        ({"gateway": {"plugins": {"ports": [443, 9000]}}}, [443, 6443, 9000]),
        ({"proxy": {"https": "http://proxy:3128"}}, [443, 6443]),
        ({"telemetry": {"otlpEndpoint": "http://collector:4318/otlp"}}, [443, 6443, 4318]),
        (
            {"telemetry": {"otlpEndpoint": "https://collector.example"}, "proxy": {"https": "http://proxy:3128"}},
            [443, 6443, 443, 3128],
        ),
    ],
    ids=["nothing", "servers of plugins", "a proxy that nothing needs", "a collector", "a collector behind a proxy"],
)
def test_the_gateway_gets_out_to_the_collector(render: Render, values: dict[str, Any], ports: list[int]) -> None:
    values = {"gateway": {"plugins": {"ports": []}}, **values}
    egress = find(render(values), "NetworkPolicy", "slipway-gateway")["spec"]["egress"]
    assert [each["port"] for each in egress[-1]["ports"]] == ports


def test_a_ca_bundle_reaches_every_pod(render: Render) -> None:
    objects = render({"caBundle": {"configMap": "authorities"}})
    for given in _environments(objects):
        assert given["SSL_CERT_FILE"] == "/etc/slipway/ca/ca.crt"
    for name in ("slipway-operator", "slipway-gateway"):
        spec = find(objects, "Deployment", name)["spec"]["template"]["spec"]
        assert {"name": "ca", "configMap": {"name": "authorities"}} in spec["volumes"]
        assert {"name": "ca", "mountPath": "/etc/slipway/ca", "readOnly": True} in spec["containers"][0]["volumeMounts"]
    operator = find(objects, "Deployment", "slipway-operator")["spec"]["template"]["spec"]
    assert environment(operator)["SLIPWAY_OPERATOR_CA_CONFIG_MAP"] == "authorities"


def test_the_cluster_domain_is_in_every_address(render: Render) -> None:
    objects = render({"clusterDomain": "corp.internal"})
    assert "cluster.local" not in yaml.safe_dump_all(objects)
    operator = find(objects, "Deployment", "slipway-operator")["spec"]["template"]["spec"]
    host = environment(operator)["SLIPWAY_OPERATOR_BUNDLED_STORE_HOST"]
    assert host == "slipway-postgres.slipway-system.svc.corp.internal"


def test_a_given_store_replaces_the_bundled_one(render: Render) -> None:
    objects = render({"postgres": {"existingSecret": "store"}})
    assert not any("postgres" in item["metadata"]["name"] for item in objects)
    volumes = find(objects, "Deployment", "slipway-operator")["spec"]["template"]["spec"]["volumes"]
    assert next(v for v in volumes if v["name"] == "admin")["secret"]["secretName"] == "store"


def test_keys_are_kept_as_hashes(render: Render) -> None:
    keys = [{"name": "alice", "sha256": "ab" * 32}]
    secret = find(render({"gateway": {"auth": {"keys": keys}}}), "Secret", "slipway-gateway-keys")
    assert json.loads(secret["stringData"]["keys.json"]) == {"keys": keys}


def test_an_open_gateway_has_no_keys(render: Render) -> None:
    objects = render({"gateway": {"auth": {"mode": "open"}}})
    assert not any(item["metadata"]["name"] == "slipway-gateway-keys" for item in objects)
    gateway = find(objects, "Deployment", "slipway-gateway")["spec"]["template"]["spec"]
    assert environment(gateway)["SLIPWAY_AUTH_MODE"] == "open"


def test_network_policies_cover_every_pod(render: Render) -> None:
    objects = render({})
    policies = [item["spec"] for item in objects if item["kind"] == "NetworkPolicy"]
    for item in (item for item in objects if "template" in item.get("spec", {})):
        labels = item["spec"]["template"]["metadata"]["labels"]
        matching = [p for p in policies if p["podSelector"]["matchLabels"].items() <= labels.items()]
        assert len(matching) == 1, item["metadata"]["name"]
        assert matching[0]["policyTypes"] == ["Ingress", "Egress"]


def test_without_policies_the_operator_makes_none_and_may_only_remove_them(render: Render) -> None:
    def given(enabled: bool) -> tuple[str, list[str]]:
        objects = render({"networkPolicies": {"enabled": enabled}})
        operator = find(objects, "Deployment", "slipway-operator")["spec"]["template"]["spec"]
        rules = find(objects, "ClusterRole", "slipway-operator")["rules"]
        (verbs,) = [rule["verbs"] for rule in rules if rule["resources"] == ["networkpolicies"]]
        assert any(item["kind"] == "NetworkPolicy" for item in objects) is enabled
        return environment(operator)["SLIPWAY_OPERATOR_NETWORK_POLICIES"], verbs

    assert given(True) == ("true", ["get", "list", "watch", "create", "patch", "delete"])
    assert given(False) == ("false", ["list", "watch", "delete"])


def test_the_gateways_metrics_are_for_labelled_namespaces_and_not_for_callers(render: Render) -> None:
    ingress = find(render({}), "NetworkPolicy", "slipway-gateway")["spec"]["ingress"]
    allowed = {rule["ports"][0]["port"]: rule.get("from") for rule in ingress}
    collectors, operator = allowed.pop(8081)
    assert collectors == {"namespaceSelector": {"matchLabels": {METRICS_LABEL: "true"}}}
    assert operator["podSelector"]["matchLabels"]["slipway.dev/component"] == "operator"
    assert allowed == {8080: None}


def test_no_policy_lets_pods_reach_a_metadata_address(render: Render) -> None:
    """Whatever the port, of either family, and as the operator's policies for agents have it."""
    rules = [
        rule
        for item in render({})
        if item["kind"] == "NetworkPolicy"
        for rule in item["spec"]["egress"]
        if not any("podSelector" in peer for peer in rule["to"])
    ]
    assert len(rules) == 4, "names, and the rest: of the operator and of the gateway"
    for rule in rules:
        names = [port["port"] for port in rule.get("ports", [])] == [53, 53]
        expected = METADATA if names else LINK_LOCAL_AND_METADATA
        blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
        assert {block["cidr"]: tuple(block["except"]) for block in blocks} == expected


def _environments(objects: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What operator and gateway get, and what the operator hands on to agents' pods."""
    operator, gateway = (
        environment(find(objects, "Deployment", name)["spec"]["template"]["spec"])
        for name in ("slipway-operator", "slipway-gateway")
    )
    handed_on = {entry["name"]: entry["value"] for entry in json.loads(operator["SLIPWAY_OPERATOR_POD_ENV"])}
    return [operator, gateway, handed_on]
