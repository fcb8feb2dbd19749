"""What the operator and the runtime must agree on beside RuntimeConfig: where the vectors of a build are."""

CHROMA_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
"""Path of the collections on a Chroma server."""


def collection_name(index: str, revision: str) -> str:
    """The collection of a build; `index` is `namespace/name`."""
    return f"{index.replace('/', '.')}.{revision}"
