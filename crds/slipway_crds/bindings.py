"""From an Agent to the second document of its host, `Bindings`, and to what its paths lead to."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from slipway_crds import contract
from slipway_crds.agents.asked import AgentTool, Member
from slipway_crds.agents.members import asked_by
from slipway_crds.agents.model import Agent, RedisSpec
from slipway_crds.agents.providers import ModelPrice, ModelSpec
from slipway_crds.contract import connection_file
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.kafka import KafkaTopic
from slipway_crds.runtimeconfig import (
    CAPABILITIES,
    AgentBindings,
    AnswersBinding,
    BackendKind,
    Bindings,
    ConfigModel,
    HeaderBinding,
    ModelBinding,
    Price,
    RedisBinding,
)
from slipway_crds.servers import SecretKey, ServerTls


class FileSource(ConfigModel):
    """A value that a pod finds in a file: a key of a Secret or of a ConfigMap of its namespace."""

    name: str
    key: str


class FolderSources(ConfigModel):
    """What is in the folder of a server that a host connects to."""

    secret: FileSource | None = None
    """Of its key or password."""
    config_map: FileSource | None = None
    """Of its `ca.crt`."""


class ConnectionSource(ConfigModel):
    """What leads to the vectors or the texts of an index that are on a server that Slipway does not run, to what makes
    vectors, or to what orders what is found."""

    index: str
    kind: BackendKind | Literal["postgres", "embedding", "reranker"]
    of: Literal["", "documents"] = ""
    """`documents`: to the texts."""
    secret: FileSource | None
    """None: the service asks for no key."""

    @property
    def path(self) -> str | None:
        """Of its file, below the folder of connections."""
        return None if self.secret is None else connection_file(self.index, self.secret.name, self.secret.key)


class SentenceModelSource(ConfigModel):
    """Where a pod gets an index's model in files from: a volume, or an image that it is copied out of."""

    folder: str
    """Where it is mounted, below `contract.SENTENCE_MODELS_DIR`."""
    claim: str | None = None
    image: str | None = None
    image_path: str = ""


class HostFiles(ConfigModel):
    """A host's second document and what its paths lead to: what its pod mounts."""

    bindings: Bindings
    sources: Mapping[str, FolderSources] = {}
    """By the name of the model, `contract.WEB_SEARCH_FOLDER` or `contract.ANSWERS_FOLDER`; without those that have no
    file."""
    session_redis: FolderSources = FolderSources()
    connections: tuple[ConnectionSource, ...] = ()
    """Of the indexes that the agent reads."""
    sentence_models: tuple[SentenceModelSource, ...] = ()
    """Likewise."""


def bindings_of(
    agent: Agent, *, folder: str = contract.MODEL_KEYS_DIR, redis_folder: str = contract.SESSION_REDIS_DIR
) -> AgentBindings:
    """What a host needs for an agent besides its configuration.

    Args:
        agent: a valid Agent with CRD defaults filled in.
        folder: where keys and certificates are: `<folder>/<model>/key` and `ca.crt`.
        redis_folder: where `password` and `ca.crt` of the Redis with its sessions are.
    """
    spec = agent.spec
    search, search_folder = spec.web_search, f"{folder}/{contract.WEB_SEARCH_FOLDER}"
    return AgentBindings(
        models={entry.name: _binding(entry, f"{folder}/{entry.name}") for entry in spec.models},
        web_search_key_file=f"{search_folder}/{contract.MODEL_KEY_FILE}" if search and search.api_key_ref else None,
        web_search_ca_file=f"{search_folder}/{contract.MODEL_CA_FILE}" if search and search.tls else None,
        description=spec.description or "",
        capabilities=CAPABILITIES[spec.architecture] if spec.capabilities is None else tuple(spec.capabilities),
        members=asked_by(agent),
        remote_members={each.name or "": _headers(each, folder, "member") for each in spec.members if _elsewhere(each)},
        remote_tools={each.name: _headers(each, folder, "tool") for each in spec.tools if _elsewhere(each)},
        session_redis=_redis_binding(spec.sessions.redis, redis_folder),
        telemetry_content=spec.telemetry.content,
        answers=AnswersBinding(topic=spec.answers_to.kafka, folder=f"{folder}/{contract.ANSWERS_FOLDER}")
        if spec.answers_to
        else None,
    )


def connections_of(indexes: Iterable[VectorIndex]) -> tuple[ConnectionSource, ...]:
    """The connections of indexes, by their names."""
    ordered = sorted(indexes, key=lambda index: index.metadata.name)
    return tuple(each for index in ordered for each in _connections(index))


def _connections(index: VectorIndex) -> Iterator[ConnectionSource]:
    name, spec = index.metadata.name, index.spec
    if (ref := spec.backend.connection) is not None:
        secret = FileSource(name=ref.name, key=ref.key)
        yield ConnectionSource(index=name, kind=spec.backend.kind, secret=secret)
    if (ref := spec.documents.store.connection) is not None:
        secret = FileSource(name=ref.name, key=ref.key)
        kind = spec.documents.config(name).kind
        yield ConnectionSource(
            index=name, kind="mongodb" if kind == "mongodb" else "postgres", secret=secret, of="documents"
        )
    if spec.embedding is not None and spec.embedding.service is not None:
        yield ConnectionSource(index=name, kind="embedding", secret=_file_of(spec.embedding.service.api_key_ref))
    if spec.search.reranker is not None:
        yield ConnectionSource(index=name, kind="reranker", secret=_file_of(spec.search.reranker.api_key_ref))


def ingestion_connections(index: VectorIndex) -> tuple[ConnectionSource, ...]:
    """The connections of what fills an index: it searches nothing."""
    return tuple(each for each in connections_of([index]) if each.kind != "reranker")


def sentence_models_of(indexes: Iterable[VectorIndex]) -> tuple[SentenceModelSource, ...]:
    """The models in files of indexes, by the names of the indexes."""
    ordered = sorted(indexes, key=lambda index: index.metadata.name)
    return tuple(
        SentenceModelSource(
            folder=f"{index.metadata.name}/{model.mount}",
            claim=model.volume.claim_name if model.volume is not None else None,
            image=model.image.name if model.image is not None else None,
            image_path=model.image.path if model.image is not None else "",
        )
        for index in ordered
        if index.spec.embedding is not None and (model := index.spec.embedding.onnx) is not None
    )


def _file_of(key: SecretKey | None) -> FileSource | None:
    return FileSource(name=key.name, key=key.key) if key is not None else None


def host_files(agent: Agent, indexes: Iterable[VectorIndex] = ()) -> HostFiles:
    """The files of a host in a cluster, which serves this agent alone.

    Args:
        indexes: those that the agent reads.
    """
    indexes = tuple(indexes)
    sources = {entry.name: _sources(entry.api_key_ref, entry.tls) for entry in agent.spec.models}
    if search := agent.spec.web_search:
        sources[contract.WEB_SEARCH_FOLDER] = _sources(search.api_key_ref, search.tls)
    for path, ref in remote_credentials(agent).items():
        sources[path] = _sources(ref, None)
    if answers := agent.spec.answers_to:
        sources[contract.ANSWERS_FOLDER] = _of_topic(answers.kafka)
    redis = agent.spec.sessions.redis
    return HostFiles(
        bindings=Bindings(agents={f"{agent.metadata.namespace}/{agent.metadata.name}": bindings_of(agent)}),
        sources={name: each for name, each in sources.items() if each != FolderSources()},
        session_redis=_sources(redis.password_ref, redis.tls) if redis else FolderSources(),
        connections=connections_of(indexes),
        sentence_models=sentence_models_of(indexes),
    )


def remote_credentials(agent: Agent) -> Mapping[str, SecretKey]:
    """What agents elsewhere are asked with, by the folder of its file: `member.NAME.HEADER` and `tool.NAME.HEADER`. No
    model has a dot in its name."""
    of_members = {
        _credential_folder("member", each, name): ref for each in agent.spec.members for name, ref in _credentials(each)
    }
    of_tools = {
        _credential_folder("tool", each, name): ref for each in agent.spec.tools for name, ref in _credentials(each)
    }
    return of_members | of_tools


def _credentials(remote: Member | AgentTool) -> list[tuple[str, SecretKey]]:
    token = [("Authorization", remote.token_ref)] if remote.token_ref else []
    return [*token, *((each.name, each.secret_ref) for each in remote.headers)]


def _credential_folder(of: str, remote: Member | AgentTool, header: str) -> str:
    return f"{of}.{remote.name}.{header.lower()}"


def _elsewhere(remote: Member | AgentTool) -> bool:
    return bool(_credentials(remote))


def _headers(remote: Member | AgentTool, folder: str, of: str) -> tuple[HeaderBinding, ...]:
    return tuple(
        HeaderBinding(
            name=name,
            file=f"{folder}/{_credential_folder(of, remote, name)}/{contract.MODEL_KEY_FILE}",
            bearer=ref is remote.token_ref,
        )
        for name, ref in _credentials(remote)
    )


def _sources(key: SecretKey | None, tls: ServerTls | None) -> FolderSources:
    bundle = tls.ca_bundle_ref if tls else None
    return FolderSources(
        secret=FileSource(name=key.name, key=key.key) if key else None,
        config_map=FileSource(name=bundle.name, key=bundle.key) if bundle else None,
    )


def _of_topic(topic: KafkaTopic) -> FolderSources:
    bundle = topic.tls.ca_bundle_ref if topic.tls else None
    return FolderSources(
        secret=FileSource(name=topic.sasl.password_ref.name, key=topic.sasl.password_ref.key) if topic.sasl else None,
        config_map=FileSource(name=bundle.name, key=bundle.key) if bundle else None,
    )


def _redis_binding(redis: RedisSpec | None, folder: str) -> RedisBinding:
    return RedisBinding(
        password_file=f"{folder}/{contract.REDIS_PASSWORD_FILE}" if redis and redis.password_ref else None,
        ca_file=f"{folder}/{contract.REDIS_CA_FILE}" if redis and redis.tls else None,
    )


def _binding(entry: ModelSpec, folder: str) -> ModelBinding:
    return ModelBinding(
        api_key_file=f"{folder}/{contract.MODEL_KEY_FILE}" if entry.api_key_ref else None,
        ca_file=f"{folder}/{contract.MODEL_CA_FILE}" if entry.tls else None,
        price=_price(entry.price) if entry.price else None,
    )


def _price(price: ModelPrice) -> Price:
    return Price(input=price.input, output=price.output, cached_input=price.cached_input)
