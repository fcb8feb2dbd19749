"""A collection of the API server mirrored in memory: listed once, then kept current by a watch.

The mirror outlives every failure. While the API server is unavailable, the last known objects stay, since pods go on
serving without it. When it is back the watch goes on where it stopped, or the collection is listed anew if that
is too old.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from slipway_runtime import retrying
from slipway_runtime.gateway.kubernetes_api import ApiErrors, ApiRefused, Expired, KubernetesApi, Object
from slipway_runtime.gateway.metrics import WATCH_RESTARTS

log = logging.getLogger(__name__)

RESYNC_SECONDS = 600.0
"""How often the collection is listed although the watch is well: a lost event must not be lost for ever."""
HEALTHY_SECONDS = 1.0
"""A watch that lasted this long was a real one."""


class ObjectKey(NamedTuple):
    """Namespace and name of an object."""

    namespace: str
    name: str


class Reflector:
    """Follows one collection.

    Args:
        on_list: called with all objects after each listing.
        on_change: called with an object's key, and the object or None when it was deleted.
    """

    def __init__(
        self,
        api: KubernetesApi,
        path: str,
        *,
        on_list: Callable[[Mapping[ObjectKey, Object]], None],
        on_change: Callable[[ObjectKey, Object | None], None],
        query: Mapping[str, str] | None = None,
    ) -> None:
        self._api = api
        self._path = path
        self._query = dict(query or {})
        self._on_list = on_list
        self._on_change = on_change
        self._resource = path.rsplit("/", 1)[-1]
        self._version = ""
        self._listed_at = 0.0
        self.problem: str | None = f"the list of {self._resource} has not been read yet"
        """Why the mirror cannot be trusted yet; None from the first listing on."""

    async def run(self) -> None:
        """Follow the collection for ever."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._once()
                cause = "ended"
            except Expired:
                self._version = ""
                cause = "expired"
            except (*ApiErrors, ApiRefused) as error:
                cause = "silent" if isinstance(error, TimeoutError) else "error"
                self._complain(error, failures)
            WATCH_RESTARTS.labels(self._resource, cause).inc()
            # A server that ends every watch at once must not be asked without a pause either.
            failures = failures + 1 if cause == "error" or time.monotonic() - began < HEALTHY_SECONDS else 0
            if failures:
                await asyncio.sleep(retrying.delay(retrying.WATCH, failures))

    async def _once(self) -> None:
        """List if that is due, then watch until the watch ends."""
        if not self._version or time.monotonic() - self._listed_at > RESYNC_SECONDS:
            await self._list()
        async for event in self._api.watch(self._path, self._version, **self._query):
            found = event["object"]
            self._version = found["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._on_change(_key(found), None if event["type"] == "DELETED" else found)

    async def _list(self) -> None:
        objects, version = await self._api.list(self._path, **self._query)
        self._on_list({_key(found): found for found in objects})
        self._version = version
        # Spread out, so that gateways that were started together do not list together.
        self._listed_at = time.monotonic() - random.uniform(0, RESYNC_SECONDS / 4)
        self.problem = None

    def _complain(self, error: Exception, failures: int) -> None:
        text = str(error) or type(error).__name__
        if failures in (0, 10, 100):
            log.warning("the API server cannot be followed: %s", text, extra={"resource": self._resource})
        if self.problem is not None:
            self.problem = f"the list of {self._resource} cannot be read from the API server: {text}"


def _key(found: Object) -> ObjectKey:
    metadata = found["metadata"]
    return ObjectKey(metadata["namespace"], metadata["name"])
