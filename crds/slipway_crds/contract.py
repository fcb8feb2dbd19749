"""What the operator and the runtime must agree on in addition to RuntimeConfig: names, paths, ports."""

HTTP_PORT = 8080
"""Of hosts and of ingestions."""
METRICS_PORT = 8081
CHROMA_PORT = 8000
CONFIG_DIR = "/etc/slipway/config"
"""Where a pod has what it is started with, under `CONFIG_KEY`."""
CONFIG_KEY = "config.json"
BINDINGS_DIR = "/etc/slipway/bindings"
"""Where a host has its `Bindings`, under `BINDINGS_KEY`."""
BINDINGS_KEY = "bindings.json"
MODEL_KEYS_DIR = "/etc/slipway/model-keys"
"""Where a host has a folder for each model, with its key in `MODEL_KEY_FILE` and its server's authorities in
`MODEL_CA_FILE`."""
MODEL_KEY_FILE = "key"
MODEL_CA_FILE = "ca.crt"
STORE_DIR = "/etc/slipway/store"
"""Where a pod has its DSN, under `STORE_KEY`."""
STORE_KEY = "dsn"
SOURCES_DIR = "/sources"
"""Where an ingestion has a folder for each source."""
STORE_SECRET_PREFIX = "slipway-store-"
"""Names of the Secrets with which pods sign in to the store."""

INDEX_LOST = "IndexLost"
"""Reason of an index whose server has fewer vectors than were made, and of the agents that read it."""
CHROMA_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
"""Path of the collections on a Chroma server."""


def revision_name(agent: str, digest: str) -> str:
    """Name of an agent's revision, by the digest of its RuntimeConfig: the same content has the same name."""
    return f"{agent}-{digest}"


def collection_name(index: str, revision: str) -> str:
    """The collection of a build; `index` is `namespace/name`."""
    return f"{index.replace('/', '.')}.{revision}"
