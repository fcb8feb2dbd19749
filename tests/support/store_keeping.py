"""Namespaces of a fake API server and a real Postgres, kept by the operator's own StoreKeeper."""

import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from slipway_operator.core.cache import Cache
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.namespaces import Namespace
from slipway_operator.store.admin import Admin
from slipway_operator.store.builders import StoreAddress
from slipway_operator.store.departed import DeletionPolicy, DepartedNamespaces
from slipway_operator.store.keeper import StoreKeeper
from tests.support.operator_api import FakeApi, fake_api

ROOT = b"root of this test, 32 bytes long"
CUT = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a client gets whose session was ended from elsewhere, depending on what it was doing."""
ADDRESS = StoreAddress(host="db", port=5432, database="slipway")


@dataclass
class Store:
    """An installation: a StoreKeeper with its API server, and what tests do to both."""

    api: FakeApi
    kube: KubeClient
    dsn: str
    """Of the administrator."""
    installation: str = field(default_factory=lambda: str(uuid.uuid4()))
    connections: int = 60
    address: StoreAddress = ADDRESS
    root: bytes = ROOT
    cache: Cache = field(default_factory=Cache)

    def __post_init__(self) -> None:
        system = Namespace(name="kube-system", uid=self.installation, version=1, deleting=False, login=1)
        self.put(system)
        self.keeper = self.restarted()

    def restarted(self) -> StoreKeeper:
        """Another operator, which remembers nothing."""
        self.keeper = StoreKeeper(
            self.kube,
            self.cache,
            admin=lambda: Admin(dsn=self.dsn, address=self.address),
            address=self.address,
            root=self.root,
            installation=self.installation,
            connections=self.connections,
        )
        return self.keeper

    def put(self, namespace: Namespace) -> Namespace:
        """The namespace, on the API server and in the cache."""
        metadata = {"name": namespace.name, "uid": namespace.uid, "resourceVersion": str(namespace.version)}
        self.api.objects[f"/api/v1/namespaces/{namespace.name}"] = {"metadata": metadata}
        self.cache.put_namespace(namespace)
        return namespace

    def namespace(self, name: str = "") -> Namespace:
        """A new one. Roles are of the whole server, which tests share; UIDs keep them apart."""
        version = secrets.randbelow(1 << 40) + 2
        return self.put(
            Namespace(name=name or f"team-{version}", uid=str(uuid.uuid4()), version=version, deleting=False, login=1)
        )

    def rotated(self, namespace: Namespace) -> Namespace:
        """The same one with the next login."""
        return self.put(replace(namespace, version=namespace.version + 1, login=(namespace.login or 0) + 1))

    def delete(self, namespace: Namespace) -> None:
        """The namespace with everything in it, from the API server and the cache."""
        folder = f"/api/v1/namespaces/{namespace.name}"
        for path in [path for path in self.api.objects if path == folder or path.startswith(f"{folder}/")]:
            del self.api.objects[path]
        self.cache.drop_namespace(namespace.name, namespace.uid)

    def departed(self, *, policy: Literal["Delete", "Retain"] = "Delete", grace: float = 0.0) -> DepartedNamespaces:
        """What sees off deleted namespaces."""
        return DepartedNamespaces(
            self.kube,
            self.keeper.admin,
            installation=self.installation,
            deletion=DeletionPolicy(policy=policy, grace_period=grace),
            returned=self.keeper.returned,
        )

    async def as_admin(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Rows, as the administrator sees them."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return [tuple(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def signed_in(self, namespace: Namespace) -> asyncpg.Connection:
        """As a pod of the namespace. The test's server asks nobody for a password."""
        return await asyncpg.connect(self.dsn_of(self.keeper.access(namespace).login))

    def dsn_of(self, role: str) -> str:
        """The store as a role."""
        parts = urlsplit(self.dsn)
        return urlunsplit(parts._replace(netloc=f"{role}:x@"))


@asynccontextmanager
async def store_of(dsn: str, *, connections: int = 60) -> AsyncIterator[Store]:
    """A store with no namespaces."""
    async with fake_api() as (api, kube):
        yield Store(api, kube, dsn, connections=connections)
