"""Bindings: where a host finds keys and certificates, and what else changes no answer."""

from typing import Any

import pytest

from slipway_crds.agents.model import Agent
from slipway_crds.bindings import FileSource, HostFiles, bindings_of, host_files, ingestion_connections
from slipway_crds.contract import MODEL_KEYS_DIR
from slipway_crds.runtimeconfig import CAPABILITIES, Bindings, HeaderBinding, RedisBinding
from tests.support.resolving import index

OWN = {"name": "own", "provider": "openai-compatible", "model": "qwen", "baseURL": "http://llm/v1"}


def agent(**spec: Any) -> Agent:
    return Agent.model_validate({"metadata": {"name": "support", "namespace": "demo"}, "spec": spec})


@pytest.mark.proves("Agent.models[].apiKeyRef.*", "Agent.models[].tls.*", "Agent.models[].price.*")
def test_a_model_has_its_key_its_authorities_and_its_price() -> None:
    model = OWN | {
        "apiKeyRef": {"name": "keys", "key": "token"},
        "tls": {"caBundleRef": {"name": "authorities", "key": "bundle.pem"}},
        "price": {"input": "0.25", "output": "2", "cachedInput": "0.025"},
    }
    assert bindings_of(agent(models=[model, OWN | {"name": "free"}]), folder="/keys").model_dump()["models"] == {
        "own": {
            "api_key_file": "/keys/own/key",
            "ca_file": "/keys/own/ca.crt",
            "price": {"input": "0.25", "output": "2", "cached_input": "0.025"},
        },
        "free": {"api_key_file": None, "ca_file": None, "price": None},
    }


def test_a_host_has_the_connections_of_the_indexes_that_it_reads_by_index_and_secret() -> None:
    ref = {"name": "postgres", "key": "dsn"}
    indexes = [index(name="b", backend={"pgvector": {"connectionRef": ref}}), index(name="a", backend={"pgvector": {}})]
    (connection,) = host_files(agent(), indexes).connections
    assert (connection.index, connection.kind, connection.path) == ("b", "pgvector", "b/postgres/dsn")
    assert host_files(agent(), indexes[1:]) == host_files(agent()), "the store needs no other Secret"


def test_a_host_has_the_keys_of_the_embedding_services_of_its_indexes() -> None:
    service = {"provider": "openai", "model": "m", "dimensions": 8, "apiKeyRef": {"name": "openai", "key": "api-key"}}
    without = {"provider": "openai-compatible", "model": "m", "dimensions": 8, "baseURL": "http://embeddings"}
    indexes = [index(name="b", embedding={"service": service}), index(name="a", embedding={"service": without})]
    found = host_files(agent(), indexes).connections
    assert [(each.index, each.kind, each.path) for each in found] == [
        ("a", "embedding", None),
        ("b", "embedding", "b/openai/api-key"),
    ]


def test_a_host_has_the_keys_of_the_rerankers_of_its_indexes_and_ingestions_do_not() -> None:
    reranker = {
        "baseURL": "https://api.example.com/v2",
        "model": "m",
        "apiKeyRef": {"name": "cohere", "key": "api-key"},
    }
    one = index(name="b", search={"reranker": reranker})
    (found,) = host_files(agent(), [one]).connections
    assert (found.index, found.kind, found.path) == ("b", "reranker", "b/cohere/api-key")
    assert ingestion_connections(one) == ()


@pytest.mark.proves("Agent.webSearch.apiKeyRef.*", "Agent.webSearch.tls.*")
def test_a_web_search_has_its_key_in_a_folder_of_no_model() -> None:
    search = {"provider": "tavily", "apiKeyRef": {"name": "search", "key": "token"}}
    given = agent(architecture="pydantic-ai", models=[OWN], webSearch=search)
    assert bindings_of(given, folder="/keys").web_search_key_file == "/keys/web_search/key"
    assert host_files(given).model_dump()["sources"] == {
        "web_search": {"secret": {"name": "search", "key": "token"}, "config_map": None}
    }
    tls = {"caBundleRef": {"name": "authorities", "key": "bundle.pem"}}
    checked = agent(architecture="pydantic-ai", models=[OWN], webSearch=search | {"tls": tls})
    assert bindings_of(checked, folder="/keys").web_search_ca_file == "/keys/web_search/ca.crt"
    assert host_files(checked).sources["web_search"].config_map == FileSource(name="authorities", key="bundle.pem")
    searxng = {"provider": "searxng", "baseURL": "https://searxng"}
    without = agent(architecture="pydantic-ai", models=[OWN], webSearch=searxng)
    assert (bindings_of(without).web_search_key_file, bindings_of(without).web_search_ca_file) == (None, None)
    assert host_files(without).sources == {}


@pytest.mark.proves("Agent.sessions.redis.passwordRef.*", "Agent.sessions.redis.tls.*")
def test_the_redis_of_the_sessions_has_its_password_and_its_authorities() -> None:
    redis = {"url": "rediss://redis.example.com:6380/1"}
    assert bindings_of(agent(sessions={"redis": redis})).session_redis == RedisBinding()
    password, bundle = {"name": "redis", "key": "password"}, {"name": "authorities", "key": "bundle.pem"}
    full = agent(sessions={"redis": redis | {"passwordRef": password, "tls": {"caBundleRef": bundle}}})
    assert bindings_of(full, redis_folder="/redis").session_redis == RedisBinding(
        password_file="/redis/password", ca_file="/redis/ca.crt"
    )
    sources = host_files(full).session_redis
    assert (sources.secret, sources.config_map) == (FileSource(**password), FileSource(**bundle))


@pytest.mark.proves("Agent.answersTo.kafka.sasl.*", "Agent.answersTo.kafka.tls.*")
def test_the_topic_of_the_answers_has_its_password_and_its_authorities() -> None:
    kafka = {"brokers": ["kafka:9092"], "topic": "answers"}
    open_topic = agent(answersTo={"kafka": kafka})
    assert bindings_of(agent()).answers is None
    assert host_files(open_topic).sources == {}
    password, bundle = {"name": "login", "key": "password"}, {"name": "authorities", "key": "bundle.pem"}
    secured = kafka | {"tls": {"caBundleRef": bundle}, "sasl": {"username": "me", "passwordRef": password}}
    files = host_files(agent(answersTo={"kafka": secured}))
    assert files.sources["answers_to"].model_dump() == {"secret": password, "config_map": bundle}
    read = Bindings.model_validate_json(files.bindings.canonical()).agents["demo/support"].answers
    assert read is not None
    assert (read.topic.topic, read.folder) == ("answers", f"{MODEL_KEYS_DIR}/answers_to")
    assert read.topic.sasl is not None
    assert (read.topic.sasl.mechanism, read.topic.sasl.username) == ("SCRAM-SHA-512", "me")


@pytest.mark.proves("Agent.members[].tokenRef.*", "Agent.members[].headers[].*")
@pytest.mark.proves("Agent.tools[].tokenRef.*", "Agent.tools[].headers[].*")
def test_an_agent_elsewhere_has_its_token_and_its_headers() -> None:
    tax = {
        "name": "tax",
        "url": "https://tax.example.org/a2a",
        "tokenRef": {"name": "tax", "key": "token"},
        "headers": [{"name": "X-Tenant", "secretRef": {"name": "tax", "key": "tenant"}}],
    }
    plain = {"name": "law", "url": "https://law.example.org/a2a"}
    lead = agent(architecture="orchestrator", members=[tax, plain])
    token = HeaderBinding(name="Authorization", file="/keys/member.tax.authorization/key", bearer=True)
    tenant = HeaderBinding(name="X-Tenant", file="/keys/member.tax.x-tenant/key")
    assert bindings_of(lead, folder="/keys").remote_members == {"tax": (token, tenant)}
    assert {folder: each.secret for folder, each in host_files(lead).sources.items()} == {
        "member.tax.authorization": FileSource(name="tax", key="token"),
        "member.tax.x-tenant": FileSource(name="tax", key="tenant"),
    }
    asking = agent(architecture="pydantic-ai", models=[OWN], tools=[tax, plain])
    assert list(bindings_of(asking).remote_tools) == ["tax"]
    assert set(host_files(asking).sources) == {"tool.tax.authorization", "tool.tax.x-tenant"}


@pytest.mark.proves("Agent.description", "Agent.capabilities", "Agent.telemetry.content")
def test_an_agent_says_what_it_is_for() -> None:
    bindings = bindings_of(agent(description="Returns.", capabilities=["returns"], telemetry={"content": True}))
    assert (bindings.description, bindings.capabilities) == ("Returns.", ("returns",))
    assert bindings.telemetry_content
    assert not bindings_of(agent()).telemetry_content


def test_an_architecture_brings_capabilities() -> None:
    assert bindings_of(agent()).capabilities == ("complex_workflow", "state_management")
    assert bindings_of(agent(capabilities=[])).capabilities == ()
    assert set(CAPABILITIES) == {"langgraph", "pydantic-ai", "hybrid", "orchestrator", "custom"}


def test_the_document_survives_json() -> None:
    files = host_files(agent(models=[OWN]))
    assert list(files.bindings.agents) == ["demo/support"]
    assert HostFiles.model_validate_json(files.canonical()) == files
