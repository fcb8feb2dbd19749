"""How many gateways are ready: the end points of the gateway's own Service."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from slipway_runtime.gateway.kubernetes_api import KubernetesApi, Object
from slipway_runtime.gateway.reflector import ObjectKey, Reflector


class Replicas:
    """Follows the EndpointSlices of a Service.

    Args:
        service: `namespace/name`.
    """

    def __init__(self, api: KubernetesApi, service: str) -> None:
        namespace, _, name = service.partition("/")
        self._slices: dict[ObjectKey, int] = {}
        self._reflector = Reflector(
            api,
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            on_list=self._list,
            on_change=self._change,
            query={"labelSelector": f"kubernetes.io/service-name={name}"},
        )

    def __call__(self) -> int:
        """How many there are; one, which asks, as long as that is not known."""
        return max(1, sum(self._slices.values()))

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow them for as long as the block lasts."""
        task = asyncio.create_task(self._reflector.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _list(self, slices: Mapping[ObjectKey, Object]) -> None:
        self._slices = {key: _ready(found) for key, found in slices.items()}

    def _change(self, key: ObjectKey, found: Object | None) -> None:
        self._slices.pop(key, None)
        if found:
            self._slices[key] = _ready(found)


def _ready(found: Object) -> int:
    return sum(
        (endpoint.get("conditions") or {}).get("ready") is not False  # unset means ready, by the API's convention
        for endpoint in found.get("endpoints") or []
    )
