"""Keys and certificates of models, web searches and Redis in the local driver: from manifests or the environment.

A key is looked for in a Secret among the manifests, then in the environment variable that `apiKeyRef.key` names. It
goes into a file for this user alone, where agents find it as they do in a pod, and which goes with the process.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway_crds import contract
from slipway_crds.agents.model import Agent
from slipway_crds.agents.providers import ModelSpec
from slipway_crds.bindings import bindings_of, remote_credentials
from slipway_crds.runtimeconfig import AgentBindings
from slipway_crds.servers import SecretKey, ServerTls
from slipway_runtime.dev.manifests import Manifests, NamespacedName, key_of

REDIS_FOLDER = "_session-redis"
"""Alongside those of models, none of which can have this name."""


@dataclass(frozen=True)
class Missing:
    """A value that a model needs and nobody gave, as a sentence that says what to do."""

    sentence: str


def model_values(manifests: Manifests, environment: Mapping[str, str]) -> Mapping[str, bytes | Missing]:
    """What the files of models and web searches hold, by path relative to their folder (`namespace/agent/of/file`)."""
    found: dict[str, bytes | Missing] = {}
    for agent in manifests.objects:
        if isinstance(agent, Agent):
            for file, value in _topic_values(agent, manifests, environment):
                found[f"{key_of(agent)}/{contract.ANSWERS_FOLDER}/{file}"] = value
            for path, value in _redis_values(agent, manifests, environment):
                found[f"{key_of(agent)}/{REDIS_FOLDER}/{path}"] = value
            for path, credential in remote_credentials(agent).items():
                lacks = f"Agent {key_of(agent)}: an agent elsewhere has no {path.split('.', 2)[2]}"
                found[f"{key_of(agent)}/{path}/{contract.MODEL_KEY_FILE}"] = secret_value(
                    credential, agent.metadata.namespace, manifests, environment, lacks=lacks
                )
            for model in agent.spec.models:
                found |= {
                    f"{key_of(agent)}/{model.name}/{file}": value
                    for file, value in _values(agent, model, manifests, environment)
                }
            for file, value in _search_values(agent, manifests, environment):
                found[f"{key_of(agent)}/{contract.WEB_SEARCH_FOLDER}/{file}"] = value
    return found


def _values(
    agent: Agent, model: ModelSpec, manifests: Manifests, environment: Mapping[str, str]
) -> Iterator[tuple[str, bytes | Missing]]:
    where, namespace = f"Agent {key_of(agent)}: model {model.name}", agent.metadata.namespace
    if ref := model.api_key_ref:
        yield contract.MODEL_KEY_FILE, secret_value(ref, namespace, manifests, environment, lacks=f"{where} has no key")
    if model.tls:
        yield contract.MODEL_CA_FILE, bundle_value(model.tls, namespace, manifests, where)


def _search_values(
    agent: Agent, manifests: Manifests, environment: Mapping[str, str]
) -> Iterator[tuple[str, bytes | Missing]]:
    search, namespace = agent.spec.web_search, agent.metadata.namespace
    where = f"Agent {key_of(agent)}: the web search"
    if search and (ref := search.api_key_ref):
        yield contract.MODEL_KEY_FILE, secret_value(ref, namespace, manifests, environment, lacks=f"{where} has no key")
    if search and search.tls:
        yield contract.MODEL_CA_FILE, bundle_value(search.tls, namespace, manifests, where)


def _redis_values(
    agent: Agent, manifests: Manifests, environment: Mapping[str, str]
) -> Iterator[tuple[str, bytes | Missing]]:
    redis, namespace = agent.spec.sessions.redis, agent.metadata.namespace
    where = f"Agent {key_of(agent)}: the Redis of its sessions"
    if redis and (ref := redis.password_ref):
        lacks = f"{where} has no password"
        yield contract.REDIS_PASSWORD_FILE, secret_value(ref, namespace, manifests, environment, lacks=lacks)
    if redis and redis.tls:
        yield contract.REDIS_CA_FILE, bundle_value(redis.tls, namespace, manifests, where)


def _topic_values(
    agent: Agent, manifests: Manifests, environment: Mapping[str, str]
) -> Iterator[tuple[str, bytes | Missing]]:
    topic, namespace = agent.spec.answers_to.kafka if agent.spec.answers_to else None, agent.metadata.namespace
    where = f"Agent {key_of(agent)}: the topic of its answers"
    if topic and topic.sasl:
        lacks = f"{where} has no password"
        yield (
            contract.MODEL_KEY_FILE,
            secret_value(topic.sasl.password_ref, namespace, manifests, environment, lacks=lacks),
        )
    if topic and topic.tls and (bundle := topic.tls.ca_bundle_ref):
        yield contract.MODEL_CA_FILE, bundle_value(ServerTls(ca_bundle_ref=bundle), namespace, manifests, where)


def secret_value(
    ref: SecretKey, namespace: str, manifests: Manifests, environment: Mapping[str, str], *, lacks: str
) -> bytes | Missing:
    """A value of a Secret among the manifests or in the environment, or what it lacks and what to do about it."""
    given = manifests.secrets.get(NamespacedName(namespace, ref.name), {}).get(ref.key)
    secret = f"add a Secret {ref.name} with {ref.key} to the manifests"
    advice = f"set {ref.key}, or {secret}" if ref.key.isidentifier() else secret
    return given or environment.get(ref.key, "").encode() or Missing(f"{lacks}: {advice}")


def bundle_value(tls: ServerTls, namespace: str, manifests: Manifests, where: str) -> bytes | Missing:
    """Certificates in a ConfigMap among the manifests, or what lacks them and what to do about it."""
    bundle = tls.ca_bundle_ref
    given = manifests.config_maps.get(NamespacedName(namespace, bundle.name), {}).get(bundle.key)
    advice = f"{where} has no certificates: add a ConfigMap {bundle.name} with {bundle.key} to the manifests"
    return given or Missing(advice)


class LocalModelFiles:
    """The files of all agents' models and web searches, and the bindings that lead to them.

    Args:
        folder: of this process alone.
        environment: where keys are looked for that no Secret has.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self.environment = environment
        self._bindings: dict[str, AgentBindings] = {}

    def of(self, agent: str) -> AgentBindings:
        """The bindings of an agent, `namespace/name`."""
        return self._bindings.get(agent, AgentBindings())

    def missing(self, manifests: Manifests) -> list[str]:
        """What models need and nobody gave."""
        values = model_values(manifests, self.environment).values()
        return [value.sentence for value in values if isinstance(value, Missing)]

    def apply(self, manifests: Manifests) -> None:
        """Make the files those of these manifests. A file whose value stays is left alone."""
        values = model_values(manifests, self.environment)
        agents = [each for each in manifests.objects if isinstance(each, Agent)]
        for path, value in values.items():
            file = self._folder / path
            if isinstance(value, Missing):
                file.unlink(missing_ok=True)
            elif not file.exists() or file.read_bytes() != value:
                replace_file(file, value)
        self._bindings = {str(key_of(agent)): self._bind(agent) for agent in agents}
        kept = {str(Path(path).parent) for path in values}
        for old in [each for each in self._folder.glob("*/*/*") if str(each.relative_to(self._folder)) not in kept]:
            shutil.rmtree(old)

    def _bind(self, agent: Agent) -> AgentBindings:
        folder = self._folder / str(key_of(agent))
        return bindings_of(agent, folder=str(folder), redis_folder=str(folder / REDIS_FOLDER))


def replace_file(file: Path, value: bytes) -> None:
    """Write a file for this user alone, which whoever reads it has whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_bytes(value)
    draft.replace(file)
