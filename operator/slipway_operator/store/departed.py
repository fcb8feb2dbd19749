"""What becomes of a namespace's share of the store when the namespace is gone.

At once nobody signs in any more. After the grace period the roles are dropped with everything they own. The table
`slipway.namespaces` remembers in between, so that nothing is forgotten while no operator runs. A Postgres may serve
several clusters: only rows of the own installation are touched, and only after a listing of all namespaces that shows
that it is this cluster's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Literal

import asyncpg

from slipway_operator.core import retrying
from slipway_operator.core.kube import ApiError, KubeClient
from slipway_operator.core.objects import NAMESPACE
from slipway_operator.store.admin_connections import AdminConnections, StoreError
from slipway_operator.store.keeper import NamespaceReplacedError
from slipway_operator.store.roles import (
    Departed,
    TakenError,
    drop_roles,
    forget,
    make_table,
    mark_gone,
    remembered,
    roles_of,
    shut_out,
)

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0
DROP_SECONDS = 60.0
"""For dropping one namespace's tables."""
ROLES_STAY = (
    "the data of namespace %s is deleted from the store, but these roles stay, without login: %s. Something in another "
    "database of the server depends on them: run DROP OWNED BY there. The operator then drops them."
)


@dataclass(frozen=True, kw_only=True)
class DeletionPolicy:
    """The chart value `postgres.namespaces`; `grace_period` in seconds."""

    policy: Literal["Delete", "Retain"]
    grace_period: float


class DepartedNamespaces:
    """Sees off what deleted namespaces leave in the store."""

    def __init__(
        self,
        kube: KubeClient,
        admin: AdminConnections,
        *,
        installation: str,
        deletion: DeletionPolicy,
        returned: Callable[[str, str], Awaitable[None]],
    ) -> None:
        """`returned` is called with name and UID of a namespace that was taken for gone and is there."""
        self._kube = kube
        self._admin = admin
        self._installation = installation
        self._deletion = deletion
        self._returned = returned
        self._wake = asyncio.Event()

    def namespace_gone(self) -> None:
        """Look soon: a namespace was deleted."""
        self._wake.set()

    async def sweep_forever(self) -> None:
        """Look at the start, when a namespace was deleted, and now and then."""
        while True:
            delay = SWEEP_SECONDS
            self._wake.clear()
            try:
                await self.sweep()
            except (ApiError, StoreError, TakenError) as error:
                logger.warning("cannot look for deleted namespaces: %s", error)
                delay = retrying.delay(retrying.DELETED_NAMESPACES)
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> None:
        """Shut out what is gone, and drop what has been gone for long enough.

        Raises:
            ApiError: if namespaces cannot be listed.
            StoreError: if Postgres is unavailable or refuses.
            TakenError: if the schema `slipway` belongs to somebody else.
        """
        async with self._admin.connect(timeout=DROP_SECONDS) as connection:
            await make_table(connection)
            # Rows first: a namespace that is made after the listing has no row among these.
            rows = await remembered(connection, self._installation)
            there = await self._uids()
            if self._installation not in there:
                raise ApiError(0, "Incomplete", "the listing of namespaces lacks kube-system")
            for row in rows:
                try:
                    await self._look(connection, row, there)
                except (asyncpg.PostgresError, TimeoutError, ApiError, StoreError, NamespaceReplacedError) as error:
                    # Others are looked at nevertheless.
                    logger.warning("namespace %s (%s) in the store: %s", row.namespace, row.uid, error)

    async def _look(self, connection: asyncpg.Connection, row: Departed, there: Collection[str]) -> None:
        if row.uid in there:
            if row.gone_for is not None:
                await self._returned(row.namespace, row.uid)
            return
        roles = await roles_of(connection, row.uid)
        if row.gone_for is None:
            await shut_out(connection, roles)
            await mark_gone(connection, row.uid)
            logger.info("namespace %s is gone: its roles are shut out", row.namespace, extra={"uid": row.uid})
        elif self._deletion.policy == "Delete" and row.gone_for >= self._deletion.grace_period:
            await shut_out(connection, roles)
            stay = await drop_roles(connection, roles)
            if stay:
                # The row stays as well, so that the next sweep tries again.
                logger.warning(ROLES_STAY, row.namespace, ", ".join(stay), extra={"uid": row.uid})
                return
            await forget(connection, row.uid)
            logger.info("namespace %s is deleted from the store", row.namespace, extra={"uid": row.uid})

    async def _uids(self) -> set[str]:
        pages = self._kube.pages(NAMESPACE, None, metadata_only=True)
        return {raw["metadata"]["uid"] async for page, _ in pages for raw in page}
