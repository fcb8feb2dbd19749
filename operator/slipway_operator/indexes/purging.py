"""Deleting vectors and texts of an index where the operator has no credentials: a Job of the namespace has.

It is an ingestion that is told to purge, so it has the same mounts and may go the same ways.
"""

from slipway_crds.bindings import ingestion_connections
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.resolve import ingest_config
from slipway_crds.runtimeconfig import AcceptanceConfig
from slipway_operator.core.inputs import BuildSettings, Owner
from slipway_operator.core.manifests import Manifest
from slipway_operator.indexes.ingest import IngestSpec, ingest_objects
from slipway_operator.indexes.ingestion import IngestionRun


class StillPurgingError(Exception):
    """The vectors are not deleted yet; the message says what is so."""


def purge_spec(index: VectorIndex) -> IngestSpec | None:
    """The Job that deletes vectors and texts; None where they go with the index's own server and the store's rows."""
    if index.spec.backend.server is not None and index.spec.documents.store.connection is None:
        return None
    return IngestSpec(
        config=ingest_config(index).model_copy(update={"sources": (), "purge": True, "acceptance": AcceptanceConfig()}),
        sources=(),
        sources_hash="",
        server_uid="",
        content_generation=0,
        connections=ingestion_connections(index),
    )


def purge_objects(
    owner: Owner, settings: BuildSettings, index: VectorIndex, purging: IngestSpec, *, store_secret: str
) -> list[Manifest]:
    """What is applied for it."""
    return [*ingest_objects(owner, settings, purging, pod=index.spec.ingestion.pod, store_secret=store_secret)]


def how_far(run: IngestionRun | None) -> str:
    """What there is to say while it has not succeeded."""
    failure = run.failure if run is not None else None
    return f"its vectors stay: {failure[1]}" if failure else "the Job that deletes its vectors is not over."
