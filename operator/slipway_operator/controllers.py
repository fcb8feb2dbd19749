"""What the controllers of all kinds are given, and the row by which a kind joins the operator."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

import aiohttp

from slipway_crds.owners import OwnerKind
from slipway_operator.core.cache import Cache, ResourceKey
from slipway_operator.core.executor import Executor
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.kube import KubeClient
from slipway_operator.core.mcp_names import McpNames
from slipway_operator.core.workers import Reconcile
from slipway_operator.installation.host_certificates import HostCertificates
from slipway_operator.installation.rotation import IdentityRotation
from slipway_operator.settings import OperatorSettings
from slipway_operator.store.keeper import StoreKeeper


@dataclass(frozen=True, kw_only=True)
class ControllerDependencies:
    """The one of each that a process has. `enqueue` has a key looked at soon."""

    kube: KubeClient
    cache: Cache
    executor: Executor
    store: StoreKeeper
    http: aiohttp.ClientSession
    build: BuildSettings
    settings: OperatorSettings
    identity: IdentityRotation
    mcp_names: McpNames
    enqueue: Callable[[ResourceKey], None]
    certificates: HostCertificates | None = None
    """None where the operator makes none."""


class DependentController:
    """Keeps what its process has, for a kind's controller."""

    def __init__(self, dependencies: ControllerDependencies) -> None:
        self._kube = dependencies.kube
        self._cache = dependencies.cache
        self._executor = dependencies.executor
        self._store = dependencies.store
        self._http = dependencies.http
        self._build = dependencies.build
        self._settings = dependencies.settings
        self._identity = dependencies.identity
        self._certificates = dependencies.certificates
        self._names = dependencies.mcp_names
        self._enqueue = dependencies.enqueue


@dataclass(frozen=True)
class RunningController:
    """A kind's part of a process that leads."""

    reconcile: Reconcile
    background: Sequence[Callable[[], Coroutine[None, None, None]]] = ()
    """What runs alongside, each until it is cancelled."""


@dataclass(frozen=True)
class KindController:
    """A kind, and what makes its objects real."""

    kind: OwnerKind
    start: Callable[[ControllerDependencies], RunningController]
