"""What a host finds in files besides its configuration: its bindings, and keys and certificates of models and Redis.

The bindings are a ConfigMap of each revision, so that one that retires keeps what its models need when the spec has
others by then. Keys are projected from Secrets, which may come later, and which the operator never reads.
"""

from pydantic import ValidationError

from slipway_crds import contract
from slipway_crds.bindings import HostFiles
from slipway_operator.core import connections, sentence_models
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.pods import read_only
from slipway_operator.core.projected import OWNER_AND_GROUP, folder
from slipway_operator.core.projections import Child, ConfigMapState

BINDINGS_SUFFIX = "-bindings"
SOURCES_KEY = "sources.json"
"""Of the same ConfigMap: the whole of what the pod mounts, for the operator itself."""


def bindings_name(revision: str) -> str:
    """Name of a revision's bindings."""
    return f"{revision}{BINDINGS_SUFFIX}"


def bindings_data(files: HostFiles) -> dict[str, str]:
    """What the ConfigMap holds."""
    return {
        contract.BINDINGS_KEY: files.bindings.canonical().decode(),
        SOURCES_KEY: files.canonical().decode(),
    }


def stored_files(child: Child | None) -> HostFiles | None:
    """What a revision's ConfigMap holds; None if there is none that can be read."""
    if child is None or not isinstance(child.detail, ConfigMapState):
        return None
    try:
        return HostFiles.model_validate_json(child.detail.data.get(SOURCES_KEY, ""))
    except ValidationError:
        return None


def volumes(revision: str, files: HostFiles) -> list[JsonObject]:
    """The volumes of a host's pod."""
    made: list[JsonObject] = [{"name": "bindings", "configMap": {"name": bindings_name(revision)}}]
    sources = [source for model in sorted(files.sources) for source in _projections(model, files)]
    if sources:
        made.append({"name": "model-keys", "projected": {"defaultMode": OWNER_AND_GROUP, "sources": sources}})
    if redis := _redis_projections(files):
        made.append({"name": "session-redis", "projected": {"defaultMode": OWNER_AND_GROUP, "sources": redis}})
    return [*made, *connections.volumes(files.connections), *sentence_models.volumes(files.sentence_models)]


def mounts(files: HostFiles) -> list[JsonObject]:
    """Where the container has them."""
    keys = [read_only("model-keys", contract.MODEL_KEYS_DIR)] if files.sources else []
    redis = [read_only("session-redis", contract.SESSION_REDIS_DIR)] if _redis_projections(files) else []
    of_indexes = [*connections.mounts(files.connections), *sentence_models.mounts(files.sentence_models)]
    return [read_only("bindings", contract.BINDINGS_DIR), *keys, *redis, *of_indexes]


def _projections(model: str, files: HostFiles) -> list[JsonObject]:
    sources = files.sources[model]
    return folder(sources, f"{model}/{contract.MODEL_KEY_FILE}", f"{model}/{contract.MODEL_CA_FILE}")


def _redis_projections(files: HostFiles) -> list[JsonObject]:
    return folder(files.session_redis, contract.REDIS_PASSWORD_FILE, contract.REDIS_CA_FILE)
