"""What a controller is given, for tests of one controller."""

from collections.abc import Callable
from typing import cast

import aiohttp

from slipway_operator.controllers import ControllerDependencies
from slipway_operator.core.cache import Cache, ResourceKey
from slipway_operator.core.executor import Executor
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.mcp_names import McpNames
from slipway_operator.installation.rotation import IdentityRotation
from slipway_operator.settings import OperatorSettings
from slipway_operator.store.keeper import StoreKeeper
from tests.support.operator_builds import SETTINGS


def make_dependencies(
    kube: KubeClient,
    *,
    cache: Cache,
    executor: Executor,
    store: StoreKeeper,
    http: aiohttp.ClientSession,
    enqueue: Callable[[ResourceKey], None],
) -> ControllerDependencies:
    """Dependencies without an identity, which only agents need."""
    return ControllerDependencies(
        kube=kube,
        cache=cache,
        executor=executor,
        store=store,
        http=http,
        build=SETTINGS,
        settings=OperatorSettings(runtime_image="slipway.local/runtime:1", chroma_image="slipway.local/chroma:1"),
        identity=cast(IdentityRotation, None),
        mcp_names=McpNames(cache),
        enqueue=enqueue,
    )
