"""Bindings and model keys: what a host finds in files, and what changes when they do."""

import json
from typing import Any

from slipway_crds.bindings import HostFiles, host_files
from slipway_crds.references import by_ref
from slipway_crds.resolve import resolve_agent, runtime_config
from slipway_crds.runtimeconfig import AgentConfig, Bindings
from slipway_operator.agents.builders import Revision, revision_objects
from slipway_operator.agents.files import stored_files, volumes
from slipway_operator.core.projections import project
from tests.support.operator_builds import SETTINGS, agent, index, owner
from tests.support.operator_objects import raw

GPT: dict[str, Any] = {
    "name": "gpt",
    "provider": "openai",
    "model": "gpt-5-mini",
    "apiKeyRef": {"name": "keys", "key": "OPENAI_API_KEY"},
}
OWN: dict[str, Any] = {
    "name": "own",
    "provider": "openai-compatible",
    "model": "qwen",
    "baseURL": "https://llm.example.com/v1",
    "apiKeyRef": {"name": "own-keys", "key": "token"},
    "tls": {"caBundleRef": {"name": "authorities", "key": "bundle.pem"}},
}


def rendered(*models: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The objects of a revision by kind and name."""
    model = agent(models=list(models))
    resolved = resolve_agent(model, by_ref([index()]))
    assert isinstance(resolved, AgentConfig)
    revision = Revision(config=runtime_config(resolved), files=host_files(model), state="Serving")
    objects = revision_objects(owner(), SETTINGS, revision, pod=None, store_secret="s")
    return {(each["kind"], each["metadata"]["name"].replace(revision.name, "R")): each for each in objects}


def pod(*models: dict[str, Any]) -> Any:
    return rendered(*models)["Deployment", "R"]["spec"]["template"]["spec"]


def template(*models: dict[str, Any]) -> str:
    return str(rendered(*models)["Deployment", "R"]["metadata"]["annotations"]["slipway.dev/template"])


def test_keys_and_authorities_are_in_a_folder_for_each_model_and_may_come_later() -> None:
    (volume,) = [each for each in pod(GPT, OWN)["volumes"] if each["name"] == "model-keys"]
    bundle = [{"key": "bundle.pem", "path": "own/ca.crt"}]
    assert volume["projected"]["sources"] == [
        {"secret": {"name": "keys", "optional": True, "items": [{"key": "OPENAI_API_KEY", "path": "gpt/key"}]}},
        {"secret": {"name": "own-keys", "optional": True, "items": [{"key": "token", "path": "own/key"}]}},
        {"configMap": {"name": "authorities", "optional": True, "items": bundle}},
    ]
    (mount,) = [each for each in pod(GPT, OWN)["containers"][0]["volumeMounts"] if each["name"] == "model-keys"]
    assert mount == {"name": "model-keys", "mountPath": "/etc/slipway/model-keys", "readOnly": True}
    assert [each["name"] for each in pod()["volumes"]] == ["tmp", "config", "store", "identity", "bindings"]


def test_the_key_of_a_web_search_is_mounted_as_those_of_models_are() -> None:
    key = {"name": "search", "key": "token"}
    model = agent(architecture="pydantic-ai", models=[GPT], webSearch={"provider": "tavily", "apiKeyRef": key})
    made: Any = volumes("R", host_files(model))
    (mounted,) = [each for each in made if each["name"] == "model-keys"]
    assert mounted["projected"]["sources"][1] == {
        "secret": {"name": "search", "optional": True, "items": [{"key": "token", "path": "web_search/key"}]}
    }


def test_bindings_lead_to_those_files() -> None:
    data = rendered(GPT, OWN)["ConfigMap", "R-bindings"]["data"]
    bindings = Bindings.model_validate_json(data["bindings.json"]).agents["demo/support"]
    assert bindings.models["own"].api_key_file == "/etc/slipway/model-keys/own/key"
    assert bindings.models["own"].ca_file == "/etc/slipway/model-keys/own/ca.crt"
    assert "keys" not in data["bindings.json"].replace("model-keys", ""), "hosts do not need the Secret's name"


def test_a_price_changes_the_bindings_and_rolls_nothing() -> None:
    priced = {**GPT, "price": {"input": "0.25", "output": "2"}}
    before, after = rendered(GPT), rendered(priced)
    assert before["ConfigMap", "R-bindings"]["data"] != after["ConfigMap", "R-bindings"]["data"]
    assert "immutable" not in after["ConfigMap", "R-bindings"]
    before.pop(("ConfigMap", "R-bindings")), after.pop(("ConfigMap", "R-bindings"))
    assert before == after


def test_another_secret_rolls_the_pods_of_the_same_revision() -> None:
    moved = {**GPT, "apiKeyRef": {"name": "keys-2", "key": "OPENAI_API_KEY"}}
    assert rendered(GPT)["ConfigMap", "R"] == rendered(moved)["ConfigMap", "R"]
    assert template(GPT) != template(moved)


def test_the_connection_of_an_index_is_mounted_and_the_store_needs_none() -> None:
    model, ref = agent(), {"name": "postgres", "key": "dsn"}
    (volume,) = volumes("R", host_files(model, [index(backend={"pgvector": {"connectionRef": ref}})]))[1:]
    items = [{"key": "dsn", "path": "handbook/postgres/dsn"}]
    assert volume == {
        "name": "connections",
        "projected": {
            "defaultMode": 0o440,
            "sources": [{"secret": {"name": "postgres", "optional": True, "items": items}}],
        },
    }
    assert host_files(model, [index(backend={"pgvector": {}})]) == host_files(model, [index()]), "no pod is restarted"


def test_the_key_of_an_embedding_service_is_mounted_and_a_service_without_one_needs_no_file() -> None:
    service = {"provider": "openai-compatible", "model": "m", "dimensions": 8, "baseURL": "http://embeddings"}
    keyed = {**service, "apiKeyRef": {"name": "openai", "key": "api-key"}}
    model = agent()
    (volume,) = volumes("R", host_files(model, [index(embedding={"service": keyed})]))[1:]
    items = [{"key": "api-key", "path": "handbook/openai/api-key"}]
    sources = [{"secret": {"name": "openai", "optional": True, "items": items}}]
    assert volume == {"name": "connections", "projected": {"defaultMode": 0o440, "sources": sources}}
    assert volumes("R", host_files(model, [index(embedding={"service": service})]))[1:] == []


def test_the_models_of_indexes_are_mounted_by_the_agents_that_read_them() -> None:
    digest = "sha256:" + "a" * 64
    image = {"image": {"name": "registry.example.com/e5:1", "path": "/e5"}, "digest": digest}
    volume = {"volume": {"claimName": "models"}, "digest": digest}
    indexes = [index(name="b", embedding={"onnx": volume}), index(name="a", embedding={"onnx": image})]
    model = agent()
    resolved = resolve_agent(model, by_ref([index()]))
    assert isinstance(resolved, AgentConfig)
    revision = Revision(config=runtime_config(resolved), files=host_files(model, indexes), state="Serving")
    objects = revision_objects(owner(), SETTINGS, revision, pod=None, store_secret="s")
    deployment: Any = next(each for each in objects if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["initContainers"]] == ["copy-sentence-model-0"]
    by_name = {each["name"]: each for each in pod["volumes"]}
    assert by_name["sentence-model-1"]["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    paths = [each["mountPath"].rpartition("/")[0] for each in pod["containers"][0]["volumeMounts"]]
    assert [path for path in paths if path.startswith("/sentence")] == ["/sentence-models/a", "/sentence-models/b"]


def test_the_key_of_a_reranker_is_mounted_by_the_agents_that_read_the_index() -> None:
    key = {"name": "cohere", "key": "api-key"}
    reranker = {"baseURL": "https://api.example.com/v2", "model": "m", "apiKeyRef": key}
    (volume,) = volumes("R", host_files(agent(), [index(search={"reranker": reranker})]))[1:]
    items = [{"key": "api-key", "path": "handbook/cohere/api-key"}]
    sources = [{"secret": {"name": "cohere", "optional": True, "items": items}}]
    assert volume == {"name": "connections", "projected": {"defaultMode": 0o440, "sources": sources}}


def test_what_is_stored_is_read_back_and_nonsense_is_not() -> None:
    made = rendered(GPT, OWN)["ConfigMap", "R-bindings"]
    assert stored_files(project("ConfigMap", raw("ConfigMap", "x", data=made["data"]))) == host_files(
        agent(models=[GPT, OWN])
    )
    assert stored_files(None) is None
    for data in ({}, {"sources.json": "{"}, {"sources.json": json.dumps({"bindings": 1})}):
        assert stored_files(project("ConfigMap", raw("ConfigMap", "x", data=data))) is None


def test_the_files_survive_json() -> None:
    files = host_files(agent(models=[GPT, OWN]))
    assert HostFiles.model_validate_json(files.canonical()) == files


def test_the_password_and_the_authorities_of_a_redis_are_mounted_and_may_come_later() -> None:
    redis: dict[str, Any] = {
        "url": "rediss://redis.example.com",
        "passwordRef": {"name": "redis", "key": "token"},
        "tls": {"caBundleRef": {"name": "authorities", "key": "bundle.pem"}},
    }
    model = agent(sessions={"redis": redis})
    resolved = resolve_agent(model, by_ref([index()]))
    assert isinstance(resolved, AgentConfig)
    assert resolved.session_redis == "rediss://redis.example.com"
    revision = Revision(config=runtime_config(resolved), files=host_files(model), state="Serving")
    objects: list[Any] = [*revision_objects(owner(), SETTINGS, revision, pod=None, store_secret="s")]
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "session-redis"]
    bundle = [{"key": "bundle.pem", "path": "ca.crt"}]
    assert volume["projected"]["sources"] == [
        {"secret": {"name": "redis", "optional": True, "items": [{"key": "token", "path": "password"}]}},
        {"configMap": {"name": "authorities", "optional": True, "items": bundle}},
    ]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "session-redis"]
    assert mount == {"name": "session-redis", "mountPath": "/etc/slipway/session-redis", "readOnly": True}
