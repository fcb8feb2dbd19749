"""What the operator and the runtime must agree on beside RuntimeConfig: names, paths, ports."""

STORE_SECRET_PREFIX = "slipway-store-"
"""Names of the Secrets with which pods sign in to the store."""

INDEX_LOST = "IndexLost"
"""Reason of an index whose server has fewer vectors than were made, and of the agents that read it."""
CHROMA_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
"""Path of the collections on a Chroma server."""


def collection_name(index: str, revision: str) -> str:
    """The collection of a build; `index` is `namespace/name`."""
    return f"{index.replace('/', '.')}.{revision}"
