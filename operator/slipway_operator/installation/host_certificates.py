"""Keeps a certificate for the hosts and connectors of each namespace, and what gateways check it with.

The operator may create Secrets and not change them. So a Secret belongs to a ConfigMap of the same name, which says
until when it is good: deleting that removes the Secret, and another one takes its place. Pods keep what they mounted
until the kubelet refreshes it.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from slipway_crds.contract import AUTHORITIES_KEY, HOST_AUTHORITIES, HOST_TLS_SECRET
from slipway_crds.meta import COMPONENT_LABEL
from slipway_crds.references import Ref
from slipway_crds.registry import OWNER_KINDS
from slipway_operator.core.cache import Cache
from slipway_operator.core.kube import ApiError, KubeClient, RawObject
from slipway_operator.core.manifests import Manifest, OwnerReference
from slipway_operator.core.objects import CONFIG_MAP, SECRET
from slipway_operator.installation.certificates import RENEW_AFTER, host_authority, host_certificate
from slipway_operator.store.builders import MADE_ANNOTATION

logger = logging.getLogger(__name__)

RENEW_KEY = "renewAfter"
"""Of the ConfigMap: when the certificate is to be made anew, in seconds since 1970."""
AUTHORITY_KEY = "authority"
"""Of the ConfigMap: whom the certificate is of."""
PATIENCE_SECONDS = 60.0
"""How long a Secret of a former ConfigMap may take to be collected. After that it is somebody else's, or this one's
without a note of it: the ConfigMap is made anew."""
LABELS = {COMPONENT_LABEL: "tls"}


class HostCertificates:
    """Issues and renews. `look` is called every few seconds, and costs nothing while nothing is due.

    Args:
        root: the 32 bytes of `slipway-root`.
        namespace: of the release.
    """

    def __init__(
        self, kube: KubeClient, cache: Cache, *, root: bytes, namespace: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._namespace = namespace
        self._authority = host_authority(root)
        self._clock = clock
        self._good: dict[str, tuple[str, float]] = {}
        """By namespace: the version of its ConfigMap, and when its certificate is to be renewed."""
        self._published = ""
        """Version of the ConfigMap of gateways."""

    async def look(self) -> None:
        """One look at what gateways have, and at each namespace with something that serves. What cannot be made for one
        is left to the next look.

        Raises:
            ApiError: if the API server refuses what gateways need.
        """
        await self._publish()
        serving = [kind.name for kind in OWNER_KINDS.values() if kind.serves]
        for namespace in {namespace for kind in serving for namespace, _ in self._cache.known(kind)}:
            try:
                await self.issue(namespace)
            except ApiError as error:
                logger.warning("the certificate of namespace %s is not made: %s", namespace, error)

    async def issue(self, namespace: str) -> None:
        """A certificate of the namespace is there and good, or on its way.

        Raises:
            ApiError: if the API server refuses.
        """
        if (good := self._good.get(namespace)) is not None:
            version, renew_after = good
            if self._version(namespace, HOST_TLS_SECRET) == version and self._clock() < renew_after:
                return
            del self._good[namespace]
        found = await self._kube.get(CONFIG_MAP, namespace, HOST_TLS_SECRET)
        if found is None:
            found = await self._kube.create(self._config_map(namespace))
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        data = found.get("data") or {}
        if data.get(AUTHORITY_KEY) != self._authority.pem or self._clock() >= _number(data.get(RENEW_KEY)):
            await self._begin_anew(found)
        elif MADE_ANNOTATION in (found["metadata"].get("annotations") or {}):
            self._good[namespace] = _version_of(found), _number(data[RENEW_KEY])
        else:
            await self._make_secret(found)

    async def _make_secret(self, config_map: RawObject) -> None:
        metadata, data = config_map["metadata"], config_map["data"]
        if await self._kube.create(self._secret(metadata["namespace"], metadata["uid"])) is None:
            if self._clock() > _number(data[RENEW_KEY]) - RENEW_AFTER.total_seconds() + PATIENCE_SECONDS:
                logger.warning(
                    "Secret %s/%s is there and not the operator's: delete it if this is repeated",
                    metadata["namespace"],
                    HOST_TLS_SECRET,
                )
                await self._begin_anew(config_map)
            return
        body = {"metadata": {"uid": metadata["uid"], "annotations": {MADE_ANNOTATION: "true"}}}
        noted = await self._kube.merge(CONFIG_MAP, metadata["namespace"], HOST_TLS_SECRET, body)
        self._good[metadata["namespace"]] = _version_of(noted), _number(data[RENEW_KEY])
        logger.info("made the certificate of namespace %s", metadata["namespace"])

    async def _begin_anew(self, config_map: RawObject) -> None:
        metadata = config_map["metadata"]
        await self._kube.delete(CONFIG_MAP, metadata["namespace"], HOST_TLS_SECRET, uid=metadata["uid"])

    async def _publish(self) -> None:
        """What gateways check with. The authority before, if there was another one, stays in it: its certificates are
        in use until pods have theirs renewed."""
        if self._published and self._version(self._namespace, HOST_AUTHORITIES) == self._published:
            return
        found = await self._kube.get(CONFIG_MAP, self._namespace, HOST_AUTHORITIES)
        present = ((found or {}).get("data") or {}).get(AUTHORITIES_KEY, "")
        if found is None or not present.startswith(self._authority.pem):
            former = present[: present.find("-----END CERTIFICATE-----") + 26] if present else ""
            manifest: Manifest = {
                "apiVersion": CONFIG_MAP.api_version,
                "kind": CONFIG_MAP.name,
                "metadata": {"name": HOST_AUTHORITIES, "namespace": self._namespace, "labels": LABELS},
                "data": {AUTHORITIES_KEY: self._authority.pem + former},
            }
            found = await self._kube.apply(manifest, force=True)
        self._published = _version_of(found)

    def _version(self, namespace: str, name: str) -> str:
        return self._cache.look(Ref(CONFIG_MAP.name, namespace, name)).version

    def _config_map(self, namespace: str) -> Manifest:
        return {
            "apiVersion": CONFIG_MAP.api_version,
            "kind": CONFIG_MAP.name,
            "metadata": {"name": HOST_TLS_SECRET, "namespace": namespace, "labels": LABELS},
            "data": {
                RENEW_KEY: str(int(self._clock() + RENEW_AFTER.total_seconds())),
                AUTHORITY_KEY: self._authority.pem,
            },
        }

    def _secret(self, namespace: str, owner_uid: str) -> Manifest:
        owner: OwnerReference = {
            "apiVersion": CONFIG_MAP.api_version,
            "kind": CONFIG_MAP.name,
            "name": HOST_TLS_SECRET,
            "uid": owner_uid,
            "controller": False,
            "blockOwnerDeletion": False,
        }
        now = datetime.fromtimestamp(self._clock(), UTC)
        return {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.name,
            "metadata": {
                "name": HOST_TLS_SECRET,
                "namespace": namespace,
                "labels": LABELS,
                "ownerReferences": [owner],
            },
            "type": "kubernetes.io/tls",
            "data": dict(host_certificate(self._authority, namespace, now=now)),
        }


def _version_of(found: RawObject) -> str:
    """As the cache has it."""
    return f"{found['metadata']['uid']}/{found['metadata']['resourceVersion']}"


def _number(text: object) -> float:
    return float(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0.0
