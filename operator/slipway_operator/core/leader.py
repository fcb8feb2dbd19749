"""Leader election by a Lease, so that two replicas never act at once.

The leader renews every third of the Lease's time and stops being leader when it could not renew in time, judged by its
own clock from the moment before the last successful renewal was sent: that is always earlier than the moment another
replica may take over. On the way out it gives the Lease back, so that the other replica need not wait.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from slipway_operator.core import metrics, retrying
from slipway_operator.core.kube import ApiError, KubeClient, RawObject
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import LEASE

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15
RENEW_SECONDS = 5.0
MARGIN_SECONDS = 1.0
"""Before the lease ends, in which a leader that cannot renew it stops."""


class LeaderElection:
    """One replica's part in it. `acquire`, then `hold` until it returns, then `release`."""

    def __init__(self, kube: KubeClient, *, namespace: str, name: str, identity: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._seen: tuple[str, float] = ("", 0.0)
        self._renewed = 0.0

    async def acquire(self) -> None:
        """Wait until this replica is the leader."""
        while not await self._try():  # noqa: ASYNC110
            await asyncio.sleep(retrying.delay(retrying.LEASE))
        metrics.LEADER.set(1)
        logger.info("leading", extra={"lease": self._name, "identity": self._identity})

    async def hold(self) -> None:
        """Renew until that fails for too long, or somebody else has the Lease. Returns when leadership is lost."""
        loop = asyncio.get_running_loop()
        delay = RENEW_SECONDS
        while True:
            await asyncio.sleep(delay)
            try:
                async with asyncio.timeout_at(self._renewed + LEASE_SECONDS - MARGIN_SECONDS):
                    if not await self._try():
                        break
                delay = RENEW_SECONDS
            except TimeoutError:
                break
            except ApiError as error:
                logger.warning("could not renew the lease: %s", error)
                delay = retrying.delay(retrying.LEASE)
            if loop.time() > self._renewed + LEASE_SECONDS - MARGIN_SECONDS:
                break
        metrics.LEADER.set(0)
        logger.error("lost the lease", extra={"lease": self._name})

    async def release(self) -> None:
        """Let another replica lead at once."""
        metrics.LEADER.set(0)
        lease = await self._kube.get(LEASE, self._namespace, self._name)
        if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
            spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
            await self._kube.replace(LEASE, self._namespace, self._name, {**lease, "spec": spec})

    async def _try(self) -> bool:
        started = asyncio.get_running_loop().time()
        lease = await self._kube.get(LEASE, self._namespace, self._name)
        if lease is None:
            won = await self._kube.create(self._first()) is not None
        elif self._free(lease["spec"], started):
            won = await self._take(lease)
        else:
            won = False
        if won:
            self._renewed = started
        return won

    def _free(self, spec: Mapping[str, Any], now: float) -> bool:
        """Ours, given back, or not renewed for its time as measured by our own clock (others' may differ)."""
        holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
        if holder in ("", self._identity):
            return True
        if self._seen[0] != renewed:
            self._seen = (renewed, now)
        return now > self._seen[1] + float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)

    async def _take(self, lease: RawObject) -> bool:
        spec = lease["spec"]
        changed = spec.get("holderIdentity") != self._identity
        body = {
            **lease,
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": _now() if changed else spec.get("acquireTime") or _now(),
                "renewTime": _now(),
                "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (1 if changed else 0),
            },
        }
        try:
            await self._kube.replace(LEASE, self._namespace, self._name, body)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    def _first(self) -> Manifest:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": _now(),
                "renewTime": _now(),
                "leaseTransitions": 0,
            },
        }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
