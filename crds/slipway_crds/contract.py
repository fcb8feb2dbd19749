"""What the operator and the runtime must agree on besides RuntimeConfig: names, paths, ports."""

HTTP_PORT = 8080
"""Of hosts and of ingestions."""
METRICS_PORT = 8081
CHROMA_PORT = 8000
CONFIG_DIR = "/etc/slipway/config"
"""Where a pod has what it is started with, under `CONFIG_KEY`."""
CONFIG_KEY = "config.json"
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


def collection_name(index: str, revision: str) -> str:
    """The collection of a build; `index` is `namespace/name`."""
    return f"{index.replace('/', '.')}.{revision}"
