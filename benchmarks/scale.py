"""How long the operator takes for many Agents, compared with a bare client, and whether it writes nothing when idle.

A devcluster of its own with the chart installed. One index is ingested for real on the real node; then that node takes
no more pods, and the Agents' pods run on kwok's nodes, where they are Ready at once. Operator and bare client take
turns on the same cluster; the operator is stopped while the bare client writes.
"""

import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import fleet, floor, machine
from benchmarks.audit import AuditLog, Write
from benchmarks.fakes import FAKES, fake_nodes
from benchmarks.figures import BenchmarkFailed, BenchmarkReport, Figure, median_ratio, percentile
from benchmarks.kubernetes_http import KubernetesHttp, connected
from benchmarks.population import agent_name, sources
from benchmarks.processes import ProcessUsage, read_usage
from devcluster import lifecycle, records
from devcluster.settings import DEFAULT_MINOR, NODE_NAME, Cluster, cluster, kubernetes_version
from slipway_demo import chart, demo, waiting
from slipway_demo.clusters import Devcluster
from slipway_demo.kube import Kube
from slipway_operator.core.objects import POD, object_kind
from tests.support.waiting import until_async

AGENT = object_kind("Agent")

CLUSTER = "bench"
OURS, BARE = "fleet", "floor"
OPERATORS = "--selector=slipway.dev/component=operator"
DRAIN_SECONDS = 15
QUIET_SECONDS = 5.0
RATIO_BAR = 1.5
EDIT_BAR = 0.3
VALUES = {"rollout": {"drainSeconds": DRAIN_SECONDS}, "gateway": {"replicas": 1}}


@dataclass(frozen=True)
class ScaleSize:
    """How much is measured."""

    agents: int
    rounds: int
    edits: int
    idle: float
    """Seconds."""


FULL = ScaleSize(agents=300, rounds=2, edits=100, idle=60)
REDUCED = ScaleSize(agents=20, rounds=1, edits=5, idle=10)


@dataclass(frozen=True)
class Site:
    """The cluster."""

    kube: Kube
    http: KubernetesHttp
    target: Cluster

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl."""
        return await asyncio.to_thread(self.kube.run, *arguments)

    def audit(self) -> AuditLog:
        """The audit log from now on."""
        return AuditLog(self.target.audit_log)

    async def leader(self) -> str:
        """Name of the operator's pod that leads; empty if none does."""
        for name in await self.operators():
            if "slipway_operator_leader 1.0" in await self._metrics(name):
                return name
        return ""

    async def operators(self) -> list[str]:
        """Names of the operator's pods."""
        query = {"labelSelector": "slipway.dev/component=operator"}
        return [item["metadata"]["name"] for item in (await self.http.get(POD.path(chart.NAMESPACE), **query))["items"]]

    async def usage(self) -> ProcessUsage:
        """What the leading operator has used."""
        return read_usage(await self._metrics(await self.leader()))

    async def _metrics(self, pod: str) -> str:
        return await self.http.text(f"{POD.path(chart.NAMESPACE, f'{pod}:8081')}/proxy/metrics")


@dataclass
class PodsFound:
    """What was measured."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    rss: float = 0.0
    edits: fleet.Edits = field(default_factory=fleet.Edits)
    idle: list[Write] = field(default_factory=list)
    restart: list[Write] = field(default_factory=list)


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """Run the benchmark. `wait`: seconds that may be waited for a quiet machine once all is set up."""
    size = REDUCED if reduced else FULL
    async with installed() as site, ready(site):
        load = await machine.quiet(wait)
        found = await _measure(site, size)
    return machine.report(
        "scale",
        _figures(found, size),
        load_before=load,
        reduced=reduced,
        packages=("kopf", "kubernetes", "aiohttp"),
        versions={"Kubernetes": kubernetes_version(DEFAULT_MINOR)},
        notes=[
            f"{size.rounds} rounds of {size.agents} Agents each way, in turns, and medians of them. The pods of Agents "
            "run on kwok's nodes and are Ready at once; the index, the operator and everything else is real and shares "
            "the cores with the control plane."
        ],
    )


@asynccontextmanager
async def installed() -> AsyncIterator[Site]:
    """A devcluster with the chart. One that was there before stays."""
    target = cluster(CLUSTER)
    existed = records.load(target) is not None
    kube, _ = await asyncio.to_thread(demo.prepare, Devcluster(CLUSTER), VALUES)
    try:
        async with connected(target.kubeconfig, manager="benchmark") as http:
            yield Site(kube, http, target)
    finally:
        if not existed:
            await asyncio.to_thread(lifecycle.down, target)


@asynccontextmanager
async def ready(site: Site) -> AsyncIterator[None]:
    """The index is ingested, the real node is closed, the fake ones are there."""
    await site.kubectl("uncordon", NODE_NAME)
    namespaces = [chart.namespace(name) for name in (OURS, BARE)]
    await asyncio.to_thread(site.kube.apply, [*namespaces, *sources(OURS)])
    for namespace in (OURS, BARE):
        await fleet.clear(site.http, namespace)
    await asyncio.to_thread(waiting.for_kinds, site.kube, OURS, deadline_s=300)
    async with AsyncExitStack() as entered:
        folder = Path(entered.enter_context(tempfile.TemporaryDirectory()))
        await entered.enter_async_context(fake_nodes(site.http, site.target.kubeconfig, folder / "kwok.log"))
        await operator(site, replicas=2)
        yield


async def operator(site: Site, *, replicas: int) -> None:
    """Have so many operators, on the real node; whatever comes next runs on the fake ones."""
    await take_pods(site, real=True)
    where = f"--namespace={chart.NAMESPACE}"
    await site.kubectl("scale", "deployment/slipway-operator", where, f"--replicas={replicas}")
    if replicas:
        await site.kubectl("rollout", "status", "deployment/slipway-operator", where, "--timeout=120s")
        await until_async(site.leader, "an operator leads", deadline=120)
    else:
        await site.kubectl("wait", "--for=delete", "pod", OPERATORS, where, "--timeout=120s")
    await take_pods(site, real=False)


async def take_pods(site: Site, *, real: bool) -> None:
    """Let either the real node or the fake ones take new pods, and not the others."""
    await site.kubectl("uncordon" if real else "cordon", NODE_NAME)
    await site.kubectl("cordon" if real else "uncordon", f"--selector={FAKES}")


async def _measure(site: Site, size: ScaleSize) -> PodsFound:
    found = PodsFound()
    await fleet.bring_up(site.http, OURS, 1)
    sample = (await site.http.get(AGENT.path(OURS, agent_name(0))))["status"]
    await fleet.clear(site.http, OURS)
    for number in range(size.rounds):
        prepared = floor.prepare(BARE, size.agents, sample=sample, sampled_from=OURS)
        await operator(site, replicas=0)
        found.bare.append(await floor.bring_up(site.http, BARE, prepared))
        await fleet.clear(site.http, BARE)
        await operator(site, replicas=2)
        await _our_turn(site, size, found)
        if number < size.rounds - 1:
            await fleet.clear(site.http, OURS)
    found.edits = await fleet.edit(site.http, OURS, size.edits)
    await asyncio.sleep(DRAIN_SECONDS)
    await silence(site)
    found.rss = (await site.usage()).rss
    log = site.audit()
    await asyncio.sleep(size.idle)
    found.idle = log.writes()
    log = site.audit()
    await restart(site)
    await asyncio.sleep(size.idle)
    found.restart = log.writes()
    return found


async def _our_turn(site: Site, size: ScaleSize, found: PodsFound) -> None:
    await silence(site)
    log, before = site.audit(), await site.usage()
    found.ours.append(await fleet.bring_up(site.http, OURS, size.agents))
    await silence(site)
    found.cpu.append((await site.usage()).cpu - before.cpu)
    found.writes.append(sum(write.changed for write in log.writes()))


async def silence(site: Site) -> None:
    """Wait until the operator writes nothing any more.

    Raises:
        BenchmarkFailed: if it goes on writing.
    """
    for _ in range(int(fleet.DEADLINE / QUIET_SECONDS)):
        log = site.audit()
        await asyncio.sleep(QUIET_SECONDS)
        if not log.writes():
            return
    raise BenchmarkFailed(f"the operator still writes after {fleet.DEADLINE:.0f} s")


async def restart(site: Site) -> None:
    """Replace all of the operator's pods, and wait until one of the new ones leads."""
    await take_pods(site, real=True)
    await site.kubectl("delete", "pod", OPERATORS, f"--namespace={chart.NAMESPACE}", "--wait=true", "--timeout=120s")
    await operator(site, replicas=2)


def _figures(found: PodsFound, size: ScaleSize) -> list[Figure]:
    many = f"{size.agents} Agents"
    edits = found.edits.to_deployment
    refused = sum(not write.changed for write in found.restart)
    return [
        Figure(f"{many} applied to all Ready", statistics.median(found.ours), "s"),
        Figure("a bare client that writes the same", statistics.median(found.bare), "s"),
        Figure("ratio", median_ratio(found.ours, found.bare), "times", RATIO_BAR),
        Figure("CPU of the operator an Agent", statistics.median(found.cpu) / size.agents * 1e3, "ms"),
        Figure("writes of the operator an Agent", statistics.median(found.writes) / size.agents, ""),
        Figure(f"memory of the operator with {many}", found.rss, "MiB"),
        Figure("spec edit to new Deployment, p50", percentile(edits, 50), "s"),
        Figure("spec edit to new Deployment, p99", percentile(edits, 99), "s", EDIT_BAR, f"{len(edits)} edits"),
        Figure("spec edit to the new revision serving, p50", percentile(found.edits.to_serving, 50), "s"),
        Figure(f"writes of the idle operator in {size.idle:g} s", len(found.idle), "", 0, _listed(found.idle)),
        Figure(
            f"writes across the operator's restart and {size.idle:g} s",
            sum(write.changed for write in found.restart),
            "",
            0,
            f"{refused} requests to create what is there already were refused, as is meant. {_listed(found.restart)}",
        ),
    ]


def _listed(writes: list[Write]) -> str:
    """What was written, the first few."""
    return "; ".join(f"{each.verb} {each.resource} {each.namespace}/{each.name}" for each in writes[:5] if each.changed)
