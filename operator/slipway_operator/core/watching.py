"""Watching, and nothing else: kopf delivers events, which go into the cache, and what they affect into the queue.

kopf's other machinery (state handlers, finalizers, annotations) is not used: with `on.event` handlers alone it writes
nothing. Two things that it does not do are done here. Nothing may be decided before everything has been listed, or an
operator that starts would make again what is already there; and objects that vanish while a watch is interrupted are
reported by nobody, so that now and then the cache is compared with a listing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, cast

import kopf

from slipway_crds.meta import GROUP, MANAGED_BY, MANAGED_BY_LABEL
from slipway_crds.registry import OWNER_KINDS
from slipway_operator.core import retrying
from slipway_operator.core.cache import Cache, ResourceKey, resource_of
from slipway_operator.core.kube import ApiError, KubeClient, RawObject
from slipway_operator.core.namespaces import namespace_of
from slipway_operator.core.objects import CHILDREN, CONFIG_MAP, LEASE, NAMESPACE, POD, ObjectKind, owner_kinds
from slipway_operator.core.projections import project
from slipway_operator.core.watches import Watches

logger = logging.getLogger(__name__)

SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
WATCHED_CHILDREN = (*CHILDREN, POD)
SWEEP_SECONDS = 600.0
FIRST_SWEEP_SECONDS = 30.0
"""Soon after the start: what was deleted between our listing and kopf's."""


class Watching:
    """Keeps the cache as the API server is.

    `enqueue` is called with every key that an event affects.
    """

    def __init__(
        self,
        kube: KubeClient,
        cache: Cache,
        watches: Watches,
        *,
        lease_name: str,
        enqueue: Callable[[ResourceKey], None],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._watches = watches
        self._lease_name = lease_name
        self._enqueue = enqueue
        self._namespace_gone: Callable[[], None] = lambda: None

    def on_namespace_gone(self, called: Callable[[], None]) -> None:
        """What is to be called when a namespace was deleted."""
        self._namespace_gone = called

    # The first listing, and the comparison later

    async def fill(self) -> None:
        """List everything once.

        Raises:
            ApiError: if that fails, such as for a missing CRD.
        """
        for kind in watched():
            async for page, _ in self._kube.pages(kind, None, labels=_selector(kind)):
                for raw in page:
                    self._put(kind, raw)

    async def sweep_forever(self) -> None:
        """Drop from the cache what is gone, now and then."""
        delay = FIRST_SWEEP_SECONDS
        while True:
            await asyncio.sleep(delay)
            delay = SWEEP_SECONDS
            try:
                await self.sweep()
            except ApiError as error:
                logger.warning("could not compare the cache: %s", error)

    async def sweep(self) -> None:
        """Compare the cache with listings, and drop what is gone.

        Raises:
            ApiError: if a listing fails.
        """
        for kind in watched():
            await self._sweep(kind)

    async def _sweep(self, kind: ObjectKind) -> None:
        before = dict(self._cache.known(kind.name))
        there: set[str] = set()
        async for page, _ in self._kube.pages(kind, None, labels=_selector(kind), metadata_only=True):
            there.update(raw["metadata"]["uid"] for raw in page)
        for (namespace_name, name), uid in before.items():
            if uid not in there:
                self._announce(self._cache.drop(kind.name, namespace_name, name, uid))

    # kopf

    def registry(self) -> kopf.OperatorRegistry:
        """The handlers: one for every kind, which does nothing but take note."""
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login)
        for kind in watched():
            kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=kind.plural)(self._handler(kind))
        kopf.on.event(LEASE.group, LEASE.version, LEASE.plural, registry=registry, id=LEASE.plural)(self._lease_event)
        return registry

    def settings(self) -> kopf.OperatorSettings:
        """Children by their label; nothing posted, nothing persisted."""
        settings = kopf.OperatorSettings()
        for kind in WATCHED_CHILDREN:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = SELECTOR
        settings.watching.field_selectors[LEASE.group, LEASE.version, LEASE.plural] = (
            f"metadata.name={self._lease_name}"
        )
        settings.watching.chunk_size = 500
        settings.posting.enabled = False
        settings.networking.request_timeout = 30
        settings.persistence.finalizer = f"{GROUP}/unused"
        return settings

    def _handler(self, kind: ObjectKind) -> Callable[..., Any]:
        async def take_note(event: kopf.RawEvent, **_: object) -> None:
            raw = cast(RawObject, event["object"])
            metadata = raw["metadata"]
            self._watches.touch(kind.name, int(metadata["resourceVersion"]))
            if event["type"] == "DELETED":
                namespace = metadata.get("namespace", "")
                self._announce(self._cache.drop(kind.name, namespace, metadata["name"], metadata["uid"]))
                if kind == NAMESPACE:
                    self._namespace_gone()
            else:
                self._announce(self._put(kind, raw))

        return take_note

    async def _lease_event(self, event: kopf.RawEvent, **_: object) -> None:
        metadata = cast(RawObject, event["object"])["metadata"]
        self._watches.touch(LEASE.name, int(metadata["resourceVersion"]))

    def _put(self, kind: ObjectKind, raw: RawObject) -> set[ResourceKey]:
        if kind == NAMESPACE:
            return self._cache.put_namespace(namespace_of(raw))
        if kind in owner_kinds():
            return self._cache.put_resource(resource_of(kind.name, raw))
        return self._cache.put_child(project(kind.name, raw))

    # ConfigMaps that hold documents: metadata only, since kopf cannot, and they are large

    async def fill_config_maps(self) -> str:
        """List the versions of all ConfigMaps. Returns the version to watch from.

        Raises:
            ApiError: if that fails.
        """
        there: set[tuple[str, str]] = set()
        since = ""
        async for page, version in self._kube.pages(CONFIG_MAP, None, metadata_only=True):
            since = version
            for raw in page:
                metadata = raw["metadata"]
                there.add((metadata["namespace"], metadata["name"]))
                affected = self._cache.put_config_map(metadata["namespace"], metadata["name"], _identity(metadata))
                self._announce(affected)
        for name in self._cache.known_config_maps():
            if name not in there:
                self._announce(self._cache.put_config_map(*name, None))
        return since

    async def watch_config_maps_forever(self, since: str) -> None:
        """Follow the versions of ConfigMaps; lists again where the watch cannot go on."""
        while True:
            try:
                stream = self._kube.watch_metadata(CONFIG_MAP, None, since=since, idle_timeout=90)
                async for event in stream:
                    since = self._config_map_event(event)
            except ApiError as error:
                if error.status == 410:
                    since = await self._list_again(since)
                elif error.status != 0:
                    logger.warning("watching ConfigMaps: %s", error)
                await asyncio.sleep(retrying.delay(retrying.WATCH))

    def _config_map_event(self, event: RawObject) -> str:
        metadata = event["object"]["metadata"]
        if event["type"] != "BOOKMARK":
            version = None if event["type"] == "DELETED" else _identity(metadata)
            self._announce(self._cache.put_config_map(metadata["namespace"], metadata["name"], version))
        return str(metadata["resourceVersion"])

    async def _list_again(self, since: str) -> str:
        try:
            return await self.fill_config_maps()
        except ApiError as error:
            logger.warning("listing ConfigMaps: %s", error)
            return since

    def _announce(self, keys: Iterable[ResourceKey]) -> None:
        for key in keys:
            if key.kind in OWNER_KINDS and key.name:
                self._enqueue(key)


def watched() -> tuple[ObjectKind, ...]:
    """Everything that is watched whole. Namespaces first: what is decided about an object depends on which namespace of
    its name it is in."""
    return (NAMESPACE, *owner_kinds(), *WATCHED_CHILDREN)


def _selector(kind: ObjectKind) -> str:
    return SELECTOR if kind in WATCHED_CHILDREN else ""


def _identity(metadata: dict[str, Any]) -> str:
    return f"{metadata['uid']}/{metadata['resourceVersion']}"


async def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """The pod's own account, or `KUBECONFIG`: the same as the API client's."""
    return kopf.login_with_kubeconfig(**kwargs) or kopf.login_with_service_account(**kwargs)
