"""The official clients of Vertex AI Vector Search 2.0: made from a connection, retried, with the contract's errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from slipway_crds.indexes.connections import VertexConnection
from slipway_runtime.knowledge.vectors.contract import CollectionMissing, VectorsRefused, VectorsUnavailable

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


@dataclass(frozen=True)
class VertexClients:
    """The three clients of the service."""

    collections: Any
    objects: Any
    search: Any


def retrying_policy(seconds: float) -> Any:
    """Retry what the service says is unavailable or too much, for so long."""
    from google.api_core import exceptions, retry_async

    transient = (exceptions.ServiceUnavailable, exceptions.TooManyRequests, exceptions.Aborted)

    def on(error: Exception) -> bool:
        return isinstance(error, transient)

    return retry_async.AsyncRetry(predicate=on, initial=0.2, maximum=5, multiplier=2, timeout=seconds)


def make_clients(connection: VertexConnection, channel: Any) -> VertexClients:
    """The clients of a connection.

    Raises:
        VectorsRefused: if there are no credentials.
    """
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import vectorsearch_v1 as service
    from google.oauth2 import service_account

    made: tuple[Any, ...] = (
        service.VectorSearchServiceAsyncClient,
        service.DataObjectServiceAsyncClient,
        service.DataObjectSearchServiceAsyncClient,
    )
    try:
        if channel is not None:
            return VertexClients(
                *(client(transport=client.get_transport_class("grpc_asyncio")(channel=channel)) for client in made)
            )
        credentials = None
        if connection.credentials is not None:
            key = dict(connection.credentials)
            from_key: Any = service_account.Credentials.from_service_account_info
            credentials = from_key(key, scopes=SCOPES)
        options = {"api_endpoint": connection.endpoint} if connection.endpoint else None
        return VertexClients(*(client(credentials=credentials, client_options=options) for client in made))
    except (GoogleAuthError, ValueError) as error:
        raise VectorsRefused(
            "there are no usable credentials for Vertex AI: put a service account's JSON key into the connection as"
            " credentials, or give the pod's ServiceAccount a Google identity (Workload Identity)"
        ) from error


@asynccontextmanager
async def vertex_errors(*, passing: type[Exception] | None = None) -> AsyncIterator[None]:
    """The client's exceptions as the contract's, except one."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except exceptions.GoogleAPIError as error:
        if passing is not None and isinstance(error, passing):
            raise
        if isinstance(error, exceptions.NotFound):
            raise CollectionMissing(str(error)[:300]) from error
        if isinstance(error, exceptions.Unauthenticated | exceptions.Forbidden):
            raise VectorsRefused(
                "Vertex AI refused the credentials of the connection: correct its Secret, or grant the identity"
                f" roles/vectorsearch.admin in the project ({str(error)[:200]})"
            ) from error
        if isinstance(error, exceptions.ClientError) and not isinstance(error, exceptions.TooManyRequests):
            raise VectorsRefused(f"Vertex AI answered: {str(error)[:300]}") from error
        raise VectorsUnavailable(f"Vertex AI cannot be reached: {str(error)[:300]}") from error
    except GoogleAuthError as error:
        raise VectorsRefused(f"Vertex AI's credentials cannot be used: {str(error)[:200]}") from error
