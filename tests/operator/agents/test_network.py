"""Agents reach every destination that their configuration names, and no metadata address.

Each policy is rendered and evaluated: the network of a trial cluster enforces none.
"""

from typing import Any

import pytest

from slipway_crds.agents.destinations import ExternalService, destination, destination_of
from slipway_crds.references import by_ref
from slipway_crds.resolve import egress_warnings, resolve_agent, session_warnings
from slipway_crds.runtimeconfig import AgentConfig
from slipway_operator.agents.builders import agent_objects
from slipway_operator.core.inputs import BuildSettings
from tests.support.network_policies import Pod, reaches
from tests.support.operator_builds import FULL_SETTINGS, SETTINGS, agent, index, owner

KEY = {"apiKeyRef": {"name": "keys", "key": "KEY"}}
GPT = {"name": "gpt", "provider": "openai", "model": "gpt-5-mini", **KEY}
METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "fe80::1")
PUBLIC = ("203.0.113.7", "2606:4700::6810:85e5")
PRIVATE = ("10.0.0.7", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd00::7")
LLM = Pod("models", {"app": "llm"})


def own(url: str, name: str = "own") -> dict[str, Any]:
    return {"name": name, "provider": "openai-compatible", "model": "qwen", "baseURL": url}


def policy(settings: BuildSettings = SETTINGS, **spec: Any) -> Any:
    model = agent(**spec)
    resolved = resolve_agent(model, by_ref([index()]))
    assert isinstance(resolved, AgentConfig)
    objects = agent_objects(owner(), settings, model.spec, [resolved], serving="support-1")
    return next(each["spec"] for each in objects if each["kind"] == "NetworkPolicy")


SPECS: tuple[dict[str, Any], ...] = (
    {},
    {"models": [GPT]},
    {"models": [GPT, own("http://llm.example.com:8443/v1")]},
    {"models": [own("http://llm.models.svc:8000/v1")], "egress": [{"namespace": "models", "ports": [8080]}]},
    {"models": [own("http://llm/v1")], "egress": [{"namespace": "demo", "podLabels": {"app": "llm"}, "ports": [80]}]},
    {"models": [own("https://10.1.2.3/v1")], "egress": [{"cidr": "10.1.2.3/8", "ports": [443]}]},
    {"architecture": "pydantic-ai", "models": [GPT], "webSearch": {"provider": "brave", **KEY}},
    {
        "architecture": "hybrid",
        "models": [GPT],
        "webSearch": {"provider": "searxng", "baseURL": "http://searxng.search.svc:8080"},
        "egress": [{"namespace": "search", "ports": [8888]}],
    },
    {"sessions": {"redis": {"url": "rediss://redis.example.com:6380/0"}}},
    {"sessions": {"redis": {"url": "redis://redis.data.svc"}}, "egress": [{"namespace": "data", "ports": [6379]}]},
    {"egress": [{"cidr": "0.0.0.0/0", "ports": [80, 443, 8000]}, {"cidr": "::/0", "ports": [80, 443]}]},
)


@pytest.mark.parametrize("spec", SPECS)
def test_every_destination_of_a_configuration_is_reached(spec: dict[str, Any]) -> None:
    rendered = policy(FULL_SETTINGS, **spec)
    model = agent(**spec)
    assert reaches(rendered, Pod("kube-system", {"k8s-app": "kube-dns"}), 53, protocol="UDP")
    assert reaches(rendered, Pod("slipway-system", {"slipway.dev/component": "postgres"}), 6432), "the store"
    assert reaches(rendered, Pod("slipway-system", {"slipway.dev/component": "gateway"}), 8080)
    assert reaches(rendered, "10.9.9.9", 4318), "the collector"
    for knowledge in model.spec.knowledge:
        chroma = {
            "app.kubernetes.io/managed-by": "slipway",
            "slipway.dev/component": "index",
            "slipway.dev/index": knowledge.index_ref.name,
        }
        assert reaches(rendered, Pod("demo", chroma), 8000)
    redis, search = model.spec.sessions.redis, model.spec.web_search
    services: list[ExternalService] = [*model.spec.models, *([search] if search else [])]
    servers = [destination(entry, "demo") for entry in services]
    for to in [*servers, *([destination_of(redis.url, "demo")] if redis else [])]:
        if to.namespace:
            ports = [port for opened in model.spec.egress if opened.namespace == to.namespace for port in opened.ports]
            assert ports
            assert all(reaches(rendered, Pod(to.namespace, {"app": "llm"}), port) for port in ports)
        elif to.address is not None:
            assert reaches(rendered, str(to.address), to.port)
        else:
            assert all(reaches(rendered, address, to.port) for address in PUBLIC)
    assert (egress_warnings(model), session_warnings(model)) == ((), ())


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("address", METADATA)
def test_no_metadata_address_is_reached(spec: dict[str, Any], address: str) -> None:
    rendered = policy(FULL_SETTINGS, **spec)
    assert not [port for port in (80, 443, 8000, 8080, 6432) if reaches(rendered, address, port)]


def test_models_open_public_addresses_at_their_ports_alone() -> None:
    rendered = policy(models=[GPT, own("http://llm.example.com:8443/v1")])
    for address in PUBLIC:
        assert [port for port in (80, 443, 8443, 22) if reaches(rendered, address, port)] == [443, 8443]
    for address in PRIVATE:
        assert not [port for port in (443, 8443) if reaches(rendered, address, port)]
    assert not reaches(rendered, LLM, 443)
    assert not reaches(policy(), PUBLIC[0], 443), "without models nothing public is open"


def test_the_ports_of_brokers_are_open() -> None:
    kafka = {"brokers": ["kafka.data.svc:9092", "kafka.data.svc:9094"], "topic": "answers"}
    rendered = policy(answersTo={"kafka": kafka})
    broker = Pod("data", {"app": "kafka"})
    assert [port for port in (9092, 9093, 9094) if reaches(rendered, broker, port)] == [9092, 9094]
    assert not reaches(policy(), broker, 9092)
    assert not any(reaches(rendered, address, 9092) for address in METADATA)


def test_a_web_search_opens_public_addresses_at_its_port() -> None:
    inside = own("http://llm.models.svc:8000/v1")
    search = {"provider": "searxng", "baseURL": "http://search.example.com:8443"}
    rendered = policy(architecture="pydantic-ai", models=[inside], webSearch=search)
    for address in PUBLIC:
        assert [port for port in (80, 443, 8443, 22) if reaches(rendered, address, port)] == [8443]
    assert not [address for address in PRIVATE if reaches(rendered, address, 8443)]


def test_a_model_in_the_cluster_opens_nothing_by_itself() -> None:
    rendered = policy(models=[own("http://llm.models.svc:8000/v1")])
    assert not [port for port in (80, 443, 8000) if reaches(rendered, PUBLIC[0], port)]
    assert not reaches(rendered, LLM, 8000)


@pytest.mark.proves("Agent.egress[].*")
def test_an_entry_opens_what_it_names_and_no_more() -> None:
    labelled = {"namespace": "models", "podLabels": {"app": "llm"}, "ports": [8000, 8001]}
    rendered = policy(egress=[labelled, {"namespace": "tools", "ports": [9000]}, {"cidr": "10.1.0.0/16", "ports": [1]}])
    assert [port for port in (8000, 8001, 8002) if reaches(rendered, LLM, port)] == [8000, 8001]
    assert not reaches(rendered, Pod("models", {"app": "other"}), 8000)
    assert not reaches(rendered, Pod("demo", {"app": "llm"}), 8000)
    assert reaches(rendered, Pod("tools"), 9000)
    assert not reaches(rendered, Pod("models"), 9000)
    assert reaches(rendered, "10.1.2.3", 1)
    assert not reaches(rendered, "10.2.0.1", 1)


@pytest.mark.parametrize(
    ("url", "egress", "says"),
    [
        ("http://llm/v1", [], "namespace demo"),
        ("http://llm.models.svc:8000/v1", [], "namespace models"),
        ("http://llm.models.svc.cluster.local/v1", [{"namespace": "demo", "ports": [80]}], "namespace models"),
        ("http://10.1.2.3:8000/v1", [], "cidr 10.1.2.3/32 and port 8000"),
        ("http://10.1.2.3/v1", [{"cidr": "10.0.0.0/8", "ports": [8000]}], "cidr 10.1.2.3/32 and port 80"),
        ("http://llm.models.svc/v1", [{"namespace": "models", "ports": [80]}], ""),
        ("http://10.1.2.3/v1", [{"cidr": "10.0.0.0/8", "ports": [80]}], ""),
        ("https://llm.example.com/v1", [], ""),
        ("https://203.0.113.7/v1", [], ""),
    ],
)
def test_a_model_that_no_entry_opens_is_named(url: str, egress: list[dict[str, Any]], says: str) -> None:
    search = {"provider": "searxng", "baseURL": url}
    warnings = egress_warnings(
        agent(architecture="pydantic-ai", models=[GPT, own(url)], webSearch=search, egress=egress)
    )
    paths = ["spec.models[1].baseURL", "spec.webSearch.baseURL"]
    assert [each.path for each in warnings] == (paths if says else [])
    assert all(says in each.message for each in warnings)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://redis.data.svc:6379/0", "namespace data"),
        ("redis://redis", "namespace demo"),
        ("rediss://me@10.1.2.3", "cidr 10.1.2.3/32 and port 6379"),
        ("rediss://redis.example.com", ""),
    ],
)
def test_a_redis_that_no_entry_opens_is_named(url: str, says: str) -> None:
    warnings = session_warnings(agent(sessions={"redis": {"url": url}}))
    assert [(each.path, each.reason) for each in warnings] == (
        [("spec.sessions.redis.url", "EgressMissing")] if says else []
    )
    assert all(says in each.message for each in warnings)
