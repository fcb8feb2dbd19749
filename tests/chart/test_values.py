"""The chart's values: each does something, and what is not a value is refused."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from slipway_demo.paths import CHART
from tests.chart.conftest import RefusedByHelm, Render

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())

COMPONENTS = ("operator", "gateway", "postgres")
POD: dict[str, Any] = {
    "nodeSelector": {"pool": "system"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "priorityClassName": "system-cluster-critical",
    "imagePullSecrets": [{"name": "own"}],
    "labels": {"team": "platform"},
    "annotations": {"example.com/owner": "platform"},
    "serviceAccountName": "given",
}

OIDC: dict[str, Any] = {"gateway": {"oidc": {"issuer": "https://login.example.org:8443", "audiences": ["slipway"]}}}

HOST_TLS = {"hostTLS": {"mode": "secret", "secretName": "host-tls", "authoritiesConfigMap": "authorities"}}
INGRESS = {"gateway": {"ingress": {"enabled": True}}}
ROUTE_OFF = {"gateway": {"httpRoute": {"parentRefs": [{"name": "public"}]}}}
ROUTE = {"gateway": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}}

# What each value is changed to, to see that the rendering changes; other values in the way are set with it.
CHANGES: dict[str, Any] = {
    "image.registry": "registry.example/slipway",
    "image.tag": "7",
    "image.tags": {"operator": "8"},
    "image.pullPolicy": "Always",
    "image.pullSecrets": ["pull"],
    "operator.replicas": 3,
    "operator.resources": {"limits": {"memory": "1Gi"}},
    **{f"{component}.{name}": value for component in COMPONENTS for name, value in POD.items()},
    "gateway.replicas": 3,
    "gateway.resources": {"limits": {"memory": "1Gi"}},
    "gateway.auth.mode": "open",
    "gateway.auth.existingSecret": "keys",
    "gateway.auth.keys": [{"name": "alice", "sha256": "0" * 64}],
    "gateway.publicURL": "https://agents.example.org",
    "gateway.oidc.issuer": ("https://id.example.org", OIDC),
    "gateway.oidc.audiences": (["slipway", "other"], OIDC),
    "gateway.oidc.usernameClaim": ("email", OIDC),
    "gateway.oidc.groupsClaim": ("roles", OIDC),
    "gateway.tokenReview.audience": "slipway",
    "gateway.tls.secretName": "certificate",
    "gateway.rateLimits.perCaller": 600,
    "gateway.rateLimits.perCallerAndAgent": 60,
    "gateway.cors.allowedOrigins": ["https://portal.example.org", "http://[::1]:3000"],
    "gateway.defaultAgent": "demo/handbook",
    "gateway.smartAgent": "demo/handbook",
    "gateway.plugins.ports": [4000],
    "gateway.plugins.privateNetworks": ["10.20.0.0/16"],
    "gateway.receivers.privateNetworks": ["10.30.0.0/16"],
    "gateway.holdSeconds": 7,
    "gateway.identityNoticeSeconds": 7,
    "gateway.maxInFlight": 7,
    "gateway.terminationGracePeriodSeconds": 7,
    "gateway.service.type": "NodePort",
    "gateway.service.port": 8000,
    "gateway.service.annotations": {"example.com/a": "b"},
    "gateway.ingress.enabled": True,
    "gateway.ingress.className": ("nginx", INGRESS),
    "gateway.ingress.host": ("agents.example.org", INGRESS),
    "gateway.ingress.tls.secretName": ("agents-tls", INGRESS),
    "gateway.ingress.annotations": ({"example.com/a": "b"}, INGRESS),
    "gateway.httpRoute.enabled": (True, ROUTE_OFF),
    "gateway.httpRoute.parentRefs": ([{"name": "other"}], ROUTE),
    "gateway.httpRoute.hostnames": (["agents.example.org"], ROUTE),
    "gateway.httpRoute.annotations": ({"example.com/a": "b"}, ROUTE),
    "gateway.httpRoute.timeouts.request": ("1h", ROUTE),
    "gateway.httpRoute.timeouts.backendRequest": ("30m", ROUTE),
    "host.resources": {"limits": {"memory": "2Gi"}},
    "index.resources": {"limits": {"memory": "2Gi"}},
    "ingest.resources": {"limits": {"memory": "2Gi"}},
    "worker.resources": {"limits": {"memory": "2Gi"}},
    "worker.minReplicas": 2,
    "worker.maxReplicas": 9,
    "postgres.existingSecret": "given",
    "postgres.maxConnections": 77,
    "postgres.connectionsPerNamespace": 24,
    "postgres.namespaces.deletionPolicy": "Retain",
    "postgres.namespaces.gracePeriod": "24h",
    "postgres.storage.size": "7Gi",
    "postgres.storage.className": "fast",
    "postgres.resources": {"limits": {"memory": "2Gi"}},
    "crds.enabled": False,
    "crds.keep": False,
    "networkPolicies.enabled": False,
    "hostTLS.mode": "operator",
    "hostTLS.secretName": ("other", HOST_TLS),
    "hostTLS.authoritiesConfigMap": ("other", HOST_TLS),
    "clusterDomain": "example.internal",
    "proxy.http": "http://proxy:3128",
    "proxy.https": "http://proxy:3128",
    "proxy.noProxy": (".corp", {"proxy": {"https": "http://proxy:3128"}}),
    "caBundle.configMap": "bundle",
    "telemetry.otlpEndpoint": "http://collector:4318",
    "rollout.drainSeconds": 7,
    "rollout.deadlineSeconds": 77,
    "testing.deltaDelay": 0.5,
}

TYPOS = {
    "gateway.toleration": [{"key": "x"}],
    "gateway.tolerations": {"key": "x"},
    "gateway.imagePullSecrets": ["pull"],
    "gateway.labels": {"slipway.dev/component": "operator"},
    "operator.labels": {"app.kubernetes.io/part-of": "mine"},
    "operator.annotations": {"reads.slipway.dev/x": "true"},
    "postgres.nodeSelector": {"pool": 1},
    "gateway.replica": 3,
    "gateway.auth.mode": "none",
    "gateway.auth.keys": [{"name": "alice", "key": "in clear"}],
    "gateway.cors.allowedOrigins": ["*"],
    "gateway.oidc.issuer": "http://id.example.org",
    "gateway.oidc.audience": "slipway",
    "gateway.publicURL": "agents.example.org/path",
    "gateway.defaultAgent": "handbook",
    "gateway.smartAgent": "handbook",
    "gateway.ingress.host": "https://agents.example.org",
    "gateway.ingress.className": "Nginx!",
    "gateway.ingress.annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": 3600},
    "gateway.ingress.tls": {"secret": "agents-tls"},
    "gateway.httpRoute.enabled": True,
    "gateway.httpRoute.parentRefs": [{"namespace": "gateways"}],
    "gateway.httpRoute.hostnames": ["agents.example.org/path"],
    "gateway.httpRoute.timeouts.request": "1 hour",
    "image.tags.gateway": "1",
    "image.registry": "registry.example/",
    "image.pullPolicy": "Sometimes",
    "operator.resources.limit": {"memory": "1Gi"},
    "postgres.storage.size": "much",
    "postgres.connectionsPerNamespace": 1,
    "postgres.namespaces.deletionPolicy": "Forget",
    "postgres.namespaces.gracePeriod": "a week",
    "postgre.bundled": False,
    "crds.keep": "yes",
    "proxy.https": "proxy:3128",
    "hostTLS.mode": "mutual",
    "clusterDomain": "Cluster.Local",
    "telemetry.otlpEndpoint": "collector:4318",
    "testing.deltaDelay": -1,
}

KEY = {"sha256": "0" * 64}

# Values of the gateway that do not go together, and the words of helm that name them.
AT_ODDS: list[tuple[dict[str, Any], str]] = [
    ({"oidc": {"issuer": "https://id.example.org"}}, "gateway.oidc.audiences or gateway.publicURL"),
    ({"oidc": {"audiences": ["slipway"]}}, "gateway.oidc.audiences has no effect without gateway.oidc.issuer"),
    ({"auth": {"mode": "open"}, **OIDC["gateway"]}, "leave gateway.oidc.issuer empty"),
    ({"auth": {"mode": "open"}, "tokenReview": {"audience": "slipway"}}, "leave gateway.tokenReview.audience empty"),
    ({"auth": {"keys": [{"name": "alice", **KEY}, {"name": "bob", **KEY}]}}, "one key twice, for alice and bob"),
    ({"auth": {"keys": [{"name": "alice", **KEY}, {"name": "alice", **KEY}]}}, "one key twice, for alice and alice"),
]


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Paths of the values that are set as one: scalars, lists, resources and free maps."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and key != "resources":
            yield from leaves(value, f"{path}.")
        else:
            yield path


def nested(path: str, value: Any) -> dict[str, Any]:
    """A value at a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two sets of values, the second one winning."""
    result = copy.deepcopy(one)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def text(render: Render, values: dict[str, Any]) -> str:
    """The rendering as text."""
    return yaml.dump_all(render(values), Dumper=yaml.CSafeDumper)


def test_every_value_is_tried() -> None:
    assert sorted(CHANGES) == sorted(leaves(VALUES))


@pytest.mark.parametrize("path", sorted(CHANGES))
def test_a_value_changes_what_is_rendered(render: Render, path: str) -> None:
    change = CHANGES[path]
    value, others = change if isinstance(change, tuple) else (change, {})
    assert text(render, merged(others, nested(path, value))) != text(render, others)


@pytest.mark.parametrize("path", sorted(TYPOS))
def test_the_schema_refuses_what_is_no_value(render: Render, path: str) -> None:
    with pytest.raises(RefusedByHelm, match=path.split(".")[0]):
        render(nested(path, TYPOS[path]))


@pytest.mark.parametrize(("gateway", "words"), AT_ODDS)
def test_values_that_do_not_go_together_are_refused(render: Render, gateway: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedByHelm, match=words):
        render({"gateway": gateway})


def test_a_provider_with_the_public_url_alone_and_two_keys_of_one_caller_are_taken(render: Render) -> None:
    keys = [{"name": "alice", "sha256": each * 64} for each in "01"]
    oidc = {"issuer": "https://id.example.org"}
    assert render({"gateway": {"publicURL": "https://agents.example.org", "oidc": oidc, "auth": {"keys": keys}}})


def test_the_schema_knows_exactly_the_values() -> None:
    def described(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for key, value in schema.get("properties", {}).items():
            if value.get("properties") and key != "tags":
                yield from described(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"

    assert sorted(set(described(SCHEMA)) - {"global"}) == sorted(leaves(VALUES))
