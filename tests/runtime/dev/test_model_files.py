"""Keys and certificates of models in the local driver: where they come from, where they go, and what is missing."""

import base64
import stat
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.manifests import ManifestDocument
from slipway_runtime.dev.manifests import Manifests, assemble
from slipway_runtime.dev.model_files import LocalModelFiles

AGENT: dict[str, Any] = {
    "apiVersion": "slipway.dev/v1alpha1",
    "kind": "Agent",
    "metadata": {"name": "assistant", "namespace": "demo"},
    "spec": {
        "models": [
            {
                "name": "gpt",
                "provider": "openai",
                "model": "gpt-5-mini",
                "apiKeyRef": {"name": "openai", "key": "OPENAI_API_KEY"},
                "price": {"input": "0.25", "output": "2"},
            }
        ]
    },
}
TLS = {"caBundleRef": {"name": "authorities", "key": "ca.crt"}}


def of(kind: str, name: str, namespace: str = "demo", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **fields}


def secret(key: str, **changes: Any) -> dict[str, Any]:
    return of("Secret", "openai", **{"stringData": {"OPENAI_API_KEY": key}, **changes})


def given(*documents: dict[str, Any], **model: Any) -> Manifests:
    models = [{**AGENT["spec"]["models"][0], **model}]
    agent = {**AGENT, "spec": {"models": models}}
    return assemble([ManifestDocument(each, "all.yaml") for each in (agent, *documents)])


def key(files: LocalModelFiles) -> str | None:
    path = files.of("demo/assistant").models["gpt"].api_key_file
    assert path is not None
    return Path(path).read_text() if Path(path).exists() else None


def applied(folder: Path, manifests: Manifests, **environment: str) -> LocalModelFiles:
    files = LocalModelFiles(folder, environment)
    files.apply(manifests)
    return files


@pytest.mark.parametrize(
    ("documents", "environment", "expected"),
    [
        ([secret("sk-1")], {}, "sk-1"),
        ([of("Secret", "openai", data={"OPENAI_API_KEY": base64.b64encode(b"sk-2").decode()})], {}, "sk-2"),
        ([secret("sk-1", data={"OPENAI_API_KEY": "c2stMg=="})], {}, "sk-1"),
        ([], {"OPENAI_API_KEY": "sk-3"}, "sk-3"),
        ([secret("sk-1")], {"OPENAI_API_KEY": "sk-3"}, "sk-1"),
        ([secret("sk-1", stringData={"OTHER": "x"})], {"OPENAI_API_KEY": "sk-3"}, "sk-3"),
        ([of("Secret", "openai", "other", stringData={"OPENAI_API_KEY": "sk-4"})], {}, None),
        ([secret("sk-1", stringData={"OPENAI_API_KEY": ""})], {}, None),
        ([secret("sk-1", stringData=None, data={"OPENAI_API_KEY": "no base64"})], {}, None),
        ([secret("sk-1", stringData=["OPENAI_API_KEY"])], {}, None),
    ],
)
def test_a_key_comes_from_a_secret_or_from_the_environment(
    tmp_path: Path, documents: list[dict[str, Any]], environment: dict[str, str], expected: str | None
) -> None:
    manifests = given(*documents)
    files = applied(tmp_path, manifests, **environment)
    assert key(files) == expected
    assert files.missing(manifests) == (
        []
        if expected
        else [
            "Agent demo/assistant: model gpt has no key: set OPENAI_API_KEY, or add a Secret openai with "
            "OPENAI_API_KEY to the manifests"
        ]
    )


def test_a_key_that_no_variable_can_be_called_is_asked_for_in_a_secret(tmp_path: Path) -> None:
    manifests = given(apiKeyRef={"name": "openai", "key": "api-key"})
    (sentence,) = applied(tmp_path, manifests).missing(manifests)
    assert "set " not in sentence
    assert "add a Secret openai with api-key" in sentence


def test_a_web_search_has_its_key_from_the_same_places(tmp_path: Path) -> None:
    search = {"provider": "brave", "apiKeyRef": {"name": "search", "key": "BRAVE_KEY"}}
    spec = {**AGENT["spec"], "architecture": "pydantic-ai", "webSearch": search}
    alone = assemble([ManifestDocument({**AGENT, "spec": spec}, "all.yaml")])
    files = applied(tmp_path, alone, OPENAI_API_KEY="sk-1", BRAVE_KEY="b-1")
    path = files.of("demo/assistant").web_search_key_file
    assert path is not None
    assert Path(path).read_text() == "b-1"
    assert files.missing(alone) == []
    (sentence,) = applied(tmp_path, alone, OPENAI_API_KEY="sk-1").missing(alone)
    assert sentence.startswith("Agent demo/assistant: the web search has no key: set BRAVE_KEY, or add a Secret search")


def test_a_web_search_has_its_authorities_from_a_config_map(tmp_path: Path) -> None:
    search = {"provider": "searxng", "baseURL": "https://searxng.example.com", "tls": TLS}
    document = ManifestDocument(
        {**AGENT, "spec": {**AGENT["spec"], "architecture": "pydantic-ai", "webSearch": search}}, "all.yaml"
    )
    (_, sentence) = applied(tmp_path, assemble([document])).missing(assemble([document]))
    assert "the web search has no certificates: add a ConfigMap authorities with ca.crt" in sentence
    bundle = ManifestDocument(of("ConfigMap", "authorities", data={"ca.crt": "PEM"}), "all.yaml")
    path = applied(tmp_path, assemble([document, bundle])).of("demo/assistant").web_search_ca_file
    assert path is not None
    assert Path(path).read_text() == "PEM"


def test_authorities_come_from_a_config_map(tmp_path: Path) -> None:
    bundle = of("ConfigMap", "authorities", data={"ca.crt": "PEM"})
    manifests = given(bundle, secret("sk-1"), tls=TLS)
    files = applied(tmp_path, manifests)
    path = files.of("demo/assistant").models["gpt"].ca_file
    assert path is not None
    assert Path(path).read_text() == "PEM"
    without = given(secret("sk-1"), tls=TLS)
    (sentence,) = applied(tmp_path, without).missing(without)
    assert "add a ConfigMap authorities with ca.crt" in sentence


def test_files_follow_the_manifests(tmp_path: Path) -> None:
    files = applied(tmp_path, given(secret("sk-1")))
    files.apply(given(secret("sk-2")))
    assert key(files) == "sk-2"
    files.apply(given())
    assert key(files) is None
    files.apply(given(secret("sk-3"), name="renamed"))
    assert sorted(each.name for each in (tmp_path / "demo" / "assistant").iterdir()) == ["renamed"]
    files.apply(assemble([]))
    assert list(tmp_path.glob("*/*/*")) == []
    assert files.of("demo/assistant").models == {}


def test_keys_are_for_their_user_alone_and_in_no_text(tmp_path: Path) -> None:
    manifests = given(secret("sk-secret"))
    files = applied(tmp_path, manifests)
    (file,) = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "sk-secret" not in repr(manifests) + repr(files.of("demo/assistant"))
    assert files.of("demo/assistant").models["gpt"].price is not None


def test_another_key_is_another_set_of_manifests() -> None:
    assert given(secret("sk-1")) != given(secret("sk-2")), "so that saving the file reloads it"
    assert given(secret("sk-1")) == given(secret("sk-1"))


def test_the_password_of_a_redis_comes_from_the_environment_too(tmp_path: Path) -> None:
    redis = {
        "url": "rediss://redis.example.com",
        "passwordRef": {"name": "redis", "key": "REDIS_PASSWORD"},
        "tls": TLS,
    }
    agent = {**AGENT, "spec": {**AGENT["spec"], "sessions": {"redis": redis}}}
    manifests = assemble(
        [ManifestDocument(each, "all.yaml") for each in (agent, of("ConfigMap", "authorities", data={"ca.crt": "PEM"}))]
    )
    files = applied(tmp_path, manifests, OPENAI_API_KEY="k", REDIS_PASSWORD="secret")
    binding = files.of("demo/assistant").session_redis
    assert binding.password_file
    assert binding.ca_file
    assert (Path(binding.password_file).read_text(), Path(binding.ca_file).read_text()) == ("secret", "PEM")
    assert LocalModelFiles(tmp_path, {"OPENAI_API_KEY": "k"}).missing(manifests) == [
        "Agent demo/assistant: the Redis of its sessions has no password: set REDIS_PASSWORD, or add a Secret redis "
        "with REDIS_PASSWORD to the manifests"
    ]


def test_the_topic_of_the_answers_has_its_files(tmp_path: Path) -> None:
    login = {"username": "me", "passwordRef": {"name": "login", "key": "KAFKA_PASSWORD"}}
    kafka = {"brokers": ["kafka:9092"], "topic": "answers", "tls": TLS, "sasl": login}
    agent = {**AGENT, "spec": {**AGENT["spec"], "answersTo": {"kafka": kafka}}}
    manifests = assemble(
        [ManifestDocument(each, "all.yaml") for each in (agent, of("ConfigMap", "authorities", data={"ca.crt": "PEM"}))]
    )
    binding = applied(tmp_path, manifests, OPENAI_API_KEY="k", KAFKA_PASSWORD="secret").of("demo/assistant").answers
    assert binding is not None
    folder = Path(binding.folder)
    assert ((folder / "key").read_text(), (folder / "ca.crt").read_text()) == ("secret", "PEM")
    assert LocalModelFiles(tmp_path, {"OPENAI_API_KEY": "k"}).missing(manifests) == [
        "Agent demo/assistant: the topic of its answers has no password: set KAFKA_PASSWORD, or add a Secret login "
        "with KAFKA_PASSWORD to the manifests"
    ]
