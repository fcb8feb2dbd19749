"""What is left of a namespace's earlier logins and Secrets, once no pod uses them any more.

Counting up the annotation `slipway.dev/store-login` of a namespace makes a new login and a new Secret, and pods roll
onto them like onto any other template. The ConfigMap of the earlier Secret is what remembers that there is something
to remove. It goes when no Deployment, unfinished Job or running pod of the namespace names the Secret.
"""

import asyncio
import logging

from slipway_operator.core.cache import Cache
from slipway_operator.core.kube import ApiError, KubeClient
from slipway_operator.core.namespaces import Namespace
from slipway_operator.core.objects import CONFIG_MAP
from slipway_operator.core.projections import Child, JobState, PodState
from slipway_operator.store.admin_connections import StoreError
from slipway_operator.store.keeper import StoreKeeper
from slipway_operator.store.roles import retire_logins

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Looking costs no request while there is nothing to remove."""


class EarlierLogins:
    """Removes them."""

    def __init__(self, kube: KubeClient, cache: Cache, store: StoreKeeper) -> None:
        self._kube = kube
        self._cache = cache
        self._store = store

    async def look_forever(self) -> None:
        """Look every few seconds."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Remove what is not used any more. What cannot be removed of one namespace is logged, and others go on."""
        for config_map in self._cache.store_config_maps():
            namespace = self._cache.namespace(config_map.namespace)
            if namespace is None or namespace.deleting or namespace.login is None or config_map.deleting:
                continue
            current = self._store.access(namespace)
            if config_map.name != current.secret_name and self._store.ready(namespace):
                try:
                    await self._remove(namespace, config_map, current.login)
                except (ApiError, StoreError) as error:
                    logger.warning("namespace %s: cannot remove an earlier login: %s", namespace.name, error)

    async def _remove(self, namespace: Namespace, config_map: Child, login: str) -> None:
        children = self._cache.children_in(namespace.name)
        if any(child.store_secret == config_map.name and not _ended(child) for child in children):
            return
        async with self._store.admin.connect() as connection:
            await retire_logins(connection, namespace.uid, login)
        # The Secret goes with it.
        await self._kube.delete(CONFIG_MAP, namespace.name, config_map.name, uid=config_map.uid)
        self._cache.drop_child(config_map.key, config_map.uid)
        logger.info("removed an earlier login to the store", extra={"object": f"Secret {'/'.join(config_map.key[1:])}"})


def _ended(child: Child) -> bool:
    if isinstance(child.detail, JobState):
        return child.detail.succeeded or child.detail.failed
    return isinstance(child.detail, PodState) and child.detail.phase in ("Succeeded", "Failed")
