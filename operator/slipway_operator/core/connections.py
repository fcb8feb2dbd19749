"""What pods need of vectors and texts on servers that Slipway does not run: files with connections, and ways there."""

from collections.abc import Mapping, Sequence
from typing import Literal

from slipway_crds import contract
from slipway_crds.bindings import ConnectionSource
from slipway_crds.runtimeconfig import BackendKind
from slipway_operator.core import policies
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.pods import read_only

VOLUME = "connections"
OWNER_AND_GROUP = 0o440
PUBLIC_PORTS: Mapping[BackendKind | Literal["postgres", "embedding", "reranker"], tuple[int, ...]] = {
    "chroma": (443, contract.CHROMA_PORT),
    "pgvector": (5432,),
    "postgres": (5432,),
    "cockroachdb": (26257,),
    "mongodb": (27015, 27016, 27017),
    "vertex": (443,),
    "snowflake": (443,),
    "embedding": (443,),
    "reranker": (443,),
}
"""Where such services listen at public addresses. The operator cannot read which one: it is in a Secret."""


def volumes(connections: Sequence[ConnectionSource]) -> list[JsonObject]:
    """A folder with a file for each connection, if there are any."""
    by_path = {each.path: each for each in connections}  # one Secret may lead to vectors and texts
    sources = [{"secret": secret} for each in by_path.values() if (secret := _secret(each)) is not None]
    return [{"name": VOLUME, "projected": {"defaultMode": OWNER_AND_GROUP, "sources": sources}}] if sources else []


def _secret(connection: ConnectionSource) -> JsonObject | None:
    if connection.secret is None:
        return None
    # Optional, so that pods start and say themselves what is missing.
    items = [{"key": connection.secret.key, "path": connection.path}]
    return {"name": connection.secret.name, "optional": True, "items": items}


def mounts(connections: Sequence[ConnectionSource]) -> list[JsonObject]:
    """Where the container has it."""
    return [read_only(VOLUME, contract.CONNECTIONS_DIR)] if any(each.secret for each in connections) else []


def egress(connections: Sequence[ConnectionSource]) -> list[JsonObject]:
    """Out to public addresses at the ports of these services."""
    return policies.to_public(sorted({port for each in connections for port in PUBLIC_PORTS[each.kind]}))
