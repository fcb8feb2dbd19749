"""The operator's process: connect, wait to lead, list everything, then watch and work until asked to stop.

Losing the Lease, a dead watch or a dead worker ends the process: starting again from nothing is the one recovery that
is always right, since nothing is kept outside the cluster.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Coroutine

import aiohttp
import kopf

from slipway_operator.agents import controller as agents
from slipway_operator.controllers import ControllerDependencies, RunningController
from slipway_operator.core import logs, metrics, retrying
from slipway_operator.core.cache import Cache
from slipway_operator.core.executor import Executor
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.kube import ApiError, KubeClient, connect
from slipway_operator.core.leader import LeaderElection
from slipway_operator.core.mcp_names import McpNames
from slipway_operator.core.objects import NAMESPACE
from slipway_operator.core.probes import Health, served
from slipway_operator.core.queue import FairQueue
from slipway_operator.core.watches import Watches
from slipway_operator.core.watching import Watching
from slipway_operator.core.workers import work_forever
from slipway_operator.indexes import controller as indexes
from slipway_operator.installation.host_certificates import HostCertificates
from slipway_operator.installation.identity import anchor_key, public_half
from slipway_operator.installation.installation import Installation, StartAgainError, current_admin, obtain
from slipway_operator.installation.roots import UselessRootError
from slipway_operator.installation.rotation import IdentityRotation
from slipway_operator.plugins import controller as plugins
from slipway_operator.settings import OperatorSettings
from slipway_operator.store.admin import AdminSecretError
from slipway_operator.store.departed import DeletionPolicy, DepartedNamespaces
from slipway_operator.store.keeper import StoreKeeper
from slipway_operator.store.rotation import EarlierLogins
from slipway_operator.workflows import controller as workflows

logger = logging.getLogger(__name__)

ROWS = [agents.ROW, indexes.ROW, plugins.ROW, workflows.ROW]
"""The kinds, one row each. A test may add one."""
KEEP_EVERY_SECONDS = 5.0
MEASURE_SECONDS = 1.0


def main() -> None:
    """The console script. Exits with 1 when leadership or a part of the process is lost, and with 2 when a person must
    fix what it was given."""
    settings = OperatorSettings.from_environment()
    logs.configure(settings.log_level)
    try:
        # Before it waits to lead, so that an upgrade stops at its first pod and the old operator goes on.
        if not settings.bundled_store_host or settings.admin_dsn_file.exists():
            current_admin(settings)
        code = asyncio.run(run(settings))
    except* (AdminSecretError, UselessRootError) as useless:
        _say(useless)
        code = 2
    except* (ApiError, StartAgainError) as refused:
        _say(refused)
        code = 1
    raise SystemExit(code)


def _say(errors: ExceptionGroup[Exception]) -> None:
    """Each of them in a line of its own."""
    for error in errors.exceptions:
        if isinstance(error, ExceptionGroup):
            _say(error)
        elif isinstance(error, ApiError) and error.status == 404:
            logger.error(
                "the API server does not know Slipway's kinds (%s): install the chart with crds.enabled", error
            )
        else:
            logger.error("%s", error)


async def run(settings: OperatorSettings) -> int:
    """Run until a signal (returns 0) or until something is lost (returns 1).

    Raises:
        AdminSecretError: if it leads, and the admin's DSN has become useless since the start.
        UselessRootError: if it leads, and another Secret of the installation is useless.
        StartAgainError: if it leads, and the root or the store's address has changed.
    """
    stop = asyncio.Event()
    _stop_on_signals(stop)
    watches = Watches()
    health = Health(watches)
    kube = await connect()
    async with served(health, settings.probe_port), kube:
        identity = settings.pod_name or f"{socket.gethostname()}-{os.getpid()}"
        leader = LeaderElection(kube, namespace=settings.release_namespace, name=settings.lease_name, identity=identity)
        health.started = True
        if not await _until(stop, _acquire(leader)):
            return 0
        try:
            return await _lead(settings, kube, watches, leader, stop)
        finally:
            with contextlib.suppress(ApiError):
                await leader.release()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)


async def _acquire(leader: LeaderElection) -> None:
    await retrying.retry(
        leader.acquire,
        policy=retrying.LEASE,
        on=ApiError,
        failed=lambda error: logger.warning("cannot reach the lease: %s", error),
    )


async def _lead(
    settings: OperatorSettings, kube: KubeClient, watches: Watches, leader: LeaderElection, stop: asyncio.Event
) -> int:
    async with asyncio.TaskGroup() as tasks:
        holding = tasks.create_task(leader.hold(), name="lease")
        stopping = tasks.create_task(stop.wait(), name="stop")
        working = tasks.create_task(_work(settings, kube, watches, stop), name="work")
        await asyncio.wait([stopping, holding, working], return_when=asyncio.FIRST_COMPLETED)
        for task in (working, holding, stopping):
            task.cancel()
    return 0 if stop.is_set() else 1


async def _work(settings: OperatorSettings, kube: KubeClient, watches: Watches, stop: asyncio.Event) -> None:
    """What a leader does, until it is cancelled."""
    installation = await obtain(settings, kube)
    cache, queue = Cache(), FairQueue()
    watching = Watching(kube, cache, watches, lease_name=settings.lease_name, enqueue=queue.add)
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        await watching.fill()
        since = await watching.fill_config_maps()
        rotation = _rotation(settings, kube, cache, installation)
        await rotation.start()
        store = await _store(settings, kube, cache, installation)
        departed = _departed(settings, kube, store)
        watching.on_namespace_gone(departed.namespace_gone)
        dependencies = ControllerDependencies(
            kube=kube,
            cache=cache,
            executor=Executor(kube, cache, watches, rolls_at_once=settings.rolls_at_once, enqueue=queue.add),
            store=store,
            http=http,
            build=_build(settings, installation),
            settings=settings,
            identity=rotation,
            certificates=_certificates(settings, kube, cache, installation),
            mcp_names=McpNames(cache),
            enqueue=queue.add,
        )
        started = _started(dependencies, tasks)
        tasks.create_task(departed.sweep_forever(), name="departed namespaces")
        tasks.create_task(EarlierLogins(kube, cache, store).look_forever(), name="earlier logins")
        tasks.create_task(_watch(watching, stop), name="kopf")
        tasks.create_task(watching.sweep_forever(), name="sweep")
        tasks.create_task(_keep_forever(installation, rotation, dependencies.certificates), name="secrets")
        tasks.create_task(_measure_forever(queue, cache, watches), name="measure")
        tasks.create_task(watching.watch_config_maps_forever(since), name="config maps")
        watches.start_canary()
        for each in tuple(cache.keys()):
            queue.add(each)
        reconcilers = {name: kind.reconcile for name, kind in started.items()}
        for _ in range(settings.workers):
            tasks.create_task(work_forever(queue, cache, reconcilers))


def _started(dependencies: ControllerDependencies, tasks: asyncio.TaskGroup) -> dict[str, RunningController]:
    """The controllers by kind, with what runs alongside them."""
    started = {row.kind.name: row.start(dependencies) for row in ROWS}
    for background in (each for kind in started.values() for each in kind.background):
        tasks.create_task(background())
    return started


def _build(settings: OperatorSettings, installation: Installation) -> BuildSettings:
    return settings.for_builders(
        identity_anchor=public_half(anchor_key(installation.root)), store_port=installation.address.port
    )


def _rotation(
    settings: OperatorSettings, kube: KubeClient, cache: Cache, installation: Installation
) -> IdentityRotation:
    return IdentityRotation(
        kube,
        cache,
        installation.identity_secret,
        namespace=settings.release_namespace,
        anchor=anchor_key(installation.root),
        notice=settings.identity_notice,
    )


def _certificates(
    settings: OperatorSettings, kube: KubeClient, cache: Cache, installation: Installation
) -> HostCertificates | None:
    """None where hosts speak no TLS, or somebody else makes their certificates."""
    if settings.host_tls != "operator":
        return None
    return HostCertificates(kube, cache, root=installation.root, namespace=settings.release_namespace)


def _departed(settings: OperatorSettings, kube: KubeClient, store: StoreKeeper) -> DepartedNamespaces:
    deletion = DeletionPolicy(policy=settings.namespace_deletion_policy, grace_period=settings.namespace_grace_period)
    return DepartedNamespaces(
        kube, store.admin, installation=store.installation, deletion=deletion, returned=store.returned
    )


async def _store(settings: OperatorSettings, kube: KubeClient, cache: Cache, installation: Installation) -> StoreKeeper:
    """The keeper of the store, for this cluster: two of them on one Postgres are distinguished by `kube-system`'s UID.

    Raises:
        ApiError: if it cannot be read.
    """
    system = await kube.get(NAMESPACE, None, "kube-system")
    if system is None:
        raise ApiError(0, "Incomplete", "there is no namespace kube-system yet")
    return StoreKeeper(
        kube,
        cache,
        admin=installation.admin,
        address=installation.address,
        root=installation.root,
        installation=str(system["metadata"]["uid"]),
        connections=settings.connections_per_namespace,
    )


async def _watch(watching: Watching, stop: asyncio.Event) -> None:
    """kopf, until it is cancelled. It takes every task that is begun after it for its own and waits 5 s for them on a
    signal. The signals stay ours, so that the Lease is given back at once."""
    before = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=watching.registry(), settings=watching.settings(), standalone=True, clusterwide=True
    )
    _stop_on_signals(stop)
    await kopf.run_tasks(tasks, ignored=before)
    stop.set()


async def _keep_forever(
    installation: Installation, rotation: IdentityRotation, certificates: HostCertificates | None
) -> None:
    """The Secrets of the installation and what hosts know of them stay right."""
    while True:
        try:
            await installation.keep()
            await rotation.look()
            if certificates is not None:
                await certificates.look()
        except (ApiError, UselessRootError) as error:
            logger.warning("the installation's Secrets: %s", error)
        await asyncio.sleep(KEEP_EVERY_SECONDS)


async def _measure_forever(queue: FairQueue, cache: Cache, watches: Watches) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + MEASURE_SECONDS
        await asyncio.sleep(MEASURE_SECONDS)
        metrics.LOOP_LAG.set(max(0.0, loop.time() - due))
        metrics.QUEUE_DEPTH.set(queue.depth)
        metrics.QUEUE_AGE.set(queue.oldest)
        for what, count in cache.count().items():
            metrics.CACHED.labels(what).set(count)
        watches.report()


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work was done before the stop."""
    doing, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (doing, stopping):
        task.cancel()
    await asyncio.gather(doing, stopping, return_exceptions=True)
    return not stop.is_set()
