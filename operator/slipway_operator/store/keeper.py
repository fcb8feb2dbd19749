"""Keeps each namespace's share of the store: a Secret with its ConfigMap, roles and a schema.

Everything is idempotent and derived: losing the operator in between, or the database altogether, is repaired by doing
it again. What is remembered of a namespace is keyed by its UID.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

from slipway_operator.core.cache import Cache
from slipway_operator.core.kube import ApiError, KubeClient, RawObject
from slipway_operator.core.namespaces import Namespace, namespace_of
from slipway_operator.core.objects import CONFIG_MAP, NAMESPACE
from slipway_operator.core.projections import Child, project
from slipway_operator.core.workers import TryAgainError
from slipway_operator.store.admin import Admin
from slipway_operator.store.admin_connections import FAILURES, AdminConnections, StoreError
from slipway_operator.store.builders import (
    MADE_ANNOTATION,
    StoreAccess,
    StoreAddress,
    labels,
    store_access,
    store_config_map,
    store_secret,
)
from slipway_operator.store.extension import VectorExtension
from slipway_operator.store.passwords import worker_key
from slipway_operator.store.purge import PurgeError, new_password, purge
from slipway_operator.store.roles import TakenError, Tenant, make_login, make_table, reset_purger

logger = logging.getLogger(__name__)

RECHECK_SECONDS = 60.0
"""A namespace whose pods are in trouble has its role looked at no more often than this."""
REFUSED_SECONDS = 10.0
"""After a failure that is about one namespace, nobody asks again for that namespace for this long."""


class NamespaceReplacedError(TryAgainError):
    """The namespace is not the one that was decided about: another of its name, or none."""


class StoreKeeper:
    """Makes sure that a namespace can sign in, and removes what a deleted index leaves.

    Args:
        admin: reads the administrator's DSN, for each connection.
        address: where pods find the store.
        root: the 32 bytes of `slipway-root`.
        installation: UID of the cluster's `kube-system`.
        connections: that a login may have at a time.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        *,
        admin: Callable[[], Admin],
        address: StoreAddress,
        root: bytes,
        installation: str,
        connections: int,
    ) -> None:
        self.admin = AdminConnections(admin, address)
        self.extension = VectorExtension(self.admin)
        self.installation = installation
        self._kube = kube
        self._cache = cache
        self._address = address
        self._root = root
        self._connections = connections
        self._making_table = asyncio.Lock()
        self._ensured: dict[str, float] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._purging: set[str] = set()

    def access(self, namespace: Namespace, *, login: int | None = None) -> StoreAccess:
        """What the namespace signs in with, in its present version or another."""
        version = login or namespace.login or 1
        return store_access(namespace.name, namespace.uid, version, root=self._root, address=self._address)

    def worker_keys(self, namespace: Namespace) -> tuple[str, str]:
        """The key of the namespace's workers, and the one before."""
        version = namespace.login or 1
        key, former = (worker_key(self._root, namespace.uid, each) for each in (version, version - 1))
        return key, former

    def tenant(self, namespace: Namespace) -> Tenant:
        return Tenant(uid=namespace.uid, namespace=namespace.name, installation=self.installation)

    async def namespace(self, name: str) -> Namespace | None:
        """The namespace as far as it is known, or as it is on the API server; None if there is none.

        Raises:
            ApiError: if the API server refuses or is unavailable.
        """
        known = self._cache.namespace(name)
        if known is not None:
            return known
        raw = await self._kube.get(NAMESPACE, None, name)
        if raw is None:
            return None
        self._cache.put_namespace(namespace_of(raw))
        return namespace_of(raw)

    def ready(self, namespace: Namespace) -> bool:
        """Whether the namespace's Secret is there, as far as the cache knows: nothing has to be asked then."""
        child = self._config_map(namespace, self.access(namespace))
        return child is not None and MADE_ANNOTATION in child.annotations

    async def ensure(self, namespace: Namespace) -> None:
        """The namespace's Secret, roles and schema are there, as far as they were not a minute ago.

        Raises:
            ApiError: if the Secret cannot be created.
            NamespaceReplacedError: if it is another namespace by now.
            StoreError: if Postgres is unavailable or refuses.
        """
        access = self.access(namespace)
        async with self._locks[namespace.uid]:
            now = asyncio.get_running_loop().time()
            ensured = now - self._ensured.get(access.secret_name, -RECHECK_SECONDS) < RECHECK_SECONDS
            if ensured and self.ready(namespace):
                return
            self._raise_if_refused(namespace, now)
            await self._make_secret(namespace, access)
            try:
                await self._make_login(access)
            except StoreError as error:
                self._refused[namespace.uid] = (now, str(error))
                raise
            self._ensured[access.secret_name] = now

    async def problem(self, namespace: Namespace) -> str:
        """`ensure`, with what is the matter with the store in words for a status; empty if nothing is.

        Raises:
            ApiError: if the Secret cannot be created.
            NamespaceReplacedError: if it is another namespace by now.
        """
        try:
            await self.ensure(namespace)
        except StoreError as error:
            return str(error)
        return ""

    async def returned(self, name: str, uid: str) -> None:
        """A namespace that was taken for gone is there: it may sign in again.

        Raises:
            ApiError, NamespaceReplacedError, StoreError: as `ensure`.
        """
        namespace = await self.namespace(name)
        if namespace is not None and namespace.uid == uid:
            self._ensured.pop(self.access(namespace).secret_name, None)
            await self.ensure(namespace)

    async def purge(self, namespace: Namespace, index: str) -> None:
        """Delete what the store keeps of an index.

        Raises:
            StoreError: if Postgres is unavailable or refuses, or the tenant's own objects do not let it happen.
        """
        if namespace.uid in self._purging:
            raise StoreError(f"Another index of namespace {namespace.name} is being deleted; this one is next.")
        self._purging.add(namespace.uid)
        try:
            await self._purge(namespace, index)
        finally:
            self._purging.discard(namespace.uid)

    async def _purge(self, namespace: Namespace, index: str) -> None:
        tenant, password = self.tenant(namespace), new_password()
        await self._make_login(self.access(namespace))
        async with self.admin.connect() as connection:
            try:
                role = await reset_purger(connection, tenant, password)
            except TakenError as error:
                raise StoreError(f"{error}.") from error
        try:
            await purge(self.admin.dsn, tenant, role=role, password=password, index=f"{namespace.name}/{index}")
        except PurgeError as error:
            raise StoreError(f"Schema {tenant.owner} does not let its rows be deleted: {error}.") from error
        except FAILURES as error:
            raise StoreError(f"Nobody can sign in as {role}: {str(error)[:300]}.") from error

    async def _make_login(self, access: StoreAccess) -> None:
        async with self.admin.connect() as connection:
            try:
                async with self._making_table:
                    await make_table(connection)
                await make_login(connection, access, installation=self.installation, connections=self._connections)
            except TakenError as error:
                raise StoreError(f"{error}.") from error

    def _raise_if_refused(self, namespace: Namespace, now: float) -> None:
        since, said = self._refused.get(namespace.uid, (0.0, ""))
        if said and now < since + REFUSED_SECONDS:
            raise StoreError(said)

    # The Secret

    def _config_map(self, namespace: Namespace, access: StoreAccess) -> Child | None:
        child = self._cache.child(CONFIG_MAP.name, namespace.name, access.secret_name)
        return child if child is not None and not child.deleting else None

    async def _make_secret(self, namespace: Namespace, access: StoreAccess) -> None:
        await self._check_current(namespace)
        child = self._config_map(namespace, access)
        if child is not None and MADE_ANNOTATION in child.annotations:
            await self._kube.create(store_secret(access, child.uid))  # somebody may have deleted it
            return
        raw = await self._kube.create(store_config_map(access))
        raw = raw or await self._kube.get(CONFIG_MAP, namespace.name, access.secret_name)
        if raw is None or "deletionTimestamp" in raw["metadata"]:
            raise StoreError(f"ConfigMap {access.secret_name} is being deleted. This is tried again.")
        if all(owner["uid"] != namespace.uid for owner in raw["metadata"].get("ownerReferences") or ()):
            raise StoreError(f"ConfigMap {access.secret_name} was not made by the operator: delete it.")
        await self._make_secret_of(access, raw)

    async def _make_secret_of(self, access: StoreAccess, config_map: RawObject) -> None:
        """The Secret, and a note on its ConfigMap that it is there."""
        metadata = config_map["metadata"]
        made = await self._kube.create(store_secret(access, metadata["uid"]))
        if made is None and MADE_ANNOTATION not in (metadata.get("annotations") or {}):
            # Its owner is an earlier ConfigMap, with which it is about to be collected. Both have to go first.
            await self._kube.delete(CONFIG_MAP, access.namespace, access.secret_name, uid=metadata["uid"])
            said = f"Secret {access.secret_name} is there without its ConfigMap: delete it if this lasts."
            raise StoreError(f"{said} This is tried again.")
        body = {"metadata": {"uid": metadata["uid"], "labels": labels(), "annotations": {MADE_ANNOTATION: "true"}}}
        raw = await self._kube.merge(CONFIG_MAP, access.namespace, access.secret_name, body)
        self._cache.put_child(project(CONFIG_MAP.name, raw))

    async def _check_current(self, namespace: Namespace) -> None:
        """What is made for a namespace must not get into another one of its name."""
        raw = await self._kube.get(NAMESPACE, None, namespace.name)
        if raw is None or raw["metadata"]["uid"] != namespace.uid:
            self._cache.drop_namespace(namespace.name, namespace.uid)
            if raw is not None:
                self._cache.put_namespace(namespace_of(raw))
            raise NamespaceReplacedError(f"namespace {namespace.name} is not the one it was")
        if "deletionTimestamp" in raw["metadata"]:
            raise ApiError(409, "NamespaceTerminating", f"namespace {namespace.name} is being deleted")
