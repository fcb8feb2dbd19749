"""Many Agents at once, as the operator brings them up, and spec edits of single ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.figures import BenchmarkFailed
from benchmarks.kubernetes_http import KubernetesHttp, Object
from benchmarks.population import agent_manifest, agent_name
from slipway_crds.meta import AGENT_LABEL
from slipway_operator.core.objects import CONFIG_MAP, DEPLOYMENT, POD, SERVICE, object_kind
from tests.support.waiting import until_async

AGENT = object_kind("Agent")

IN_FLIGHT = 16
DEADLINE = 600.0
AGENTS_CHILDREN = {"labelSelector": AGENT_LABEL}


def is_ready(agent: Object) -> bool:
    """Whether an Agent's status says Ready of its newest spec."""
    status = agent.get("status", {})
    current = status.get("observedGeneration", -1) >= agent["metadata"]["generation"]
    return current and any(
        each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])
    )


def is_available(deployment: Object) -> bool:
    """Whether a Deployment has the one pod that it should have."""
    return int(deployment.get("status", {}).get("availableReplicas", 0)) >= 1


@dataclass
class Seen:
    """The newest state of the objects of a kind in a namespace, by name, and when they came to be."""

    objects: dict[str, Object] = field(default_factory=dict)
    added: dict[str, float] = field(default_factory=dict)
    """`time.perf_counter()` of each one's first event."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition over the objects holds.

        Raises:
            BenchmarkFailed: if that takes too long.
        """
        try:
            async with asyncio.timeout(DEADLINE), self.changed:
                await self.changed.wait_for(condition)
        except TimeoutError:
            raise BenchmarkFailed(f"not within {DEADLINE:.0f} s: {what}") from None


@asynccontextmanager
async def watching(kube: KubernetesHttp, path: str) -> AsyncIterator[Seen]:
    """A collection as it is and becomes, while the block runs."""
    listed = await kube.get(path)
    seen = Seen(objects={item["metadata"]["name"]: item for item in listed["items"]})

    async def follow() -> None:
        async for kind, found in kube.watch(path, since=listed["metadata"]["resourceVersion"]):
            name = found["metadata"]["name"]
            async with seen.changed:
                if kind == "DELETED":
                    seen.objects.pop(name, None)
                else:
                    seen.objects[name] = found
                    seen.added.setdefault(name, time.perf_counter())
                seen.changed.notify_all()

    task = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def limited(work: Iterable[Awaitable[object]], in_flight: int = IN_FLIGHT) -> None:
    """Do all of it, so much at a time."""
    slots = asyncio.Semaphore(in_flight)

    async def one(each: Awaitable[object]) -> None:
        async with slots:
            await each

    await asyncio.gather(*(one(each) for each in work))


async def bring_up(kube: KubernetesHttp, namespace: str, count: int) -> float:
    """Apply so many Agents and wait until all are Ready. Returns the seconds that it took."""
    async with watching(kube, AGENT.path(namespace)) as agents:
        began = time.perf_counter()
        await limited(
            kube.apply(AGENT.path(namespace, agent_name(number)), agent_manifest(namespace, number))
            for number in range(count)
        )
        await agents.until(
            lambda: len(agents.objects) == count and all(map(is_ready, agents.objects.values())),
            f"{count} Agents are Ready",
        )
        return time.perf_counter() - began


async def clear(kube: KubernetesHttp, namespace: str) -> None:
    """Delete all Agents and wait until nothing is left of them."""
    await kube.delete(AGENT.path(namespace))
    for kind in (AGENT, DEPLOYMENT, CONFIG_MAP, SERVICE, POD):
        query = {} if kind is AGENT else AGENTS_CHILDREN

        async def gone(path: str = kind.path(namespace), query: Mapping[str, str] = query) -> bool:
            return not (await kube.get(path, limit="1", **query))["items"]

        await until_async(gone, f"no {kind.name} is left in {namespace}", deadline=DEADLINE)


@dataclass
class Edits:
    """Seconds from the request that edits an Agent."""

    to_deployment: list[float] = field(default_factory=list)
    """Until a watch has delivered the new revision's Deployment."""
    to_serving: list[float] = field(default_factory=list)
    """Until the Agent's status names the new revision as serving."""


async def edit(kube: KubernetesHttp, namespace: str, count: int) -> Edits:
    """Edit so many Agents, one after the other; each edit makes a new revision."""
    edits = Edits()
    async with (
        watching(kube, DEPLOYMENT.path(namespace)) as deployments,
        watching(kube, AGENT.path(namespace)) as agents,
    ):
        for number in range(count):
            name, before = agent_name(number), set(deployments.objects)
            began = time.perf_counter()
            await kube.apply(AGENT.path(namespace, name), agent_manifest(namespace, number, min_score="0.46"))
            await deployments.until(lambda: bool(_new(deployments, before, name)), f"a new Deployment of {name}")  # noqa: B023 (awaited here)
            new = _new(deployments, before, name)[0]
            edits.to_deployment.append(deployments.added[new] - began)
            await agents.until(lambda: _serves(agents.objects[name], new), f"{new} serves")  # noqa: B023 (as above)
            edits.to_serving.append(time.perf_counter() - began)
    return edits


def _new(deployments: Seen, before: set[str], agent: str) -> list[str]:
    return [name for name in deployments.objects.keys() - before if name.startswith(f"{agent}-")]


def _serves(agent: Object, revision: str) -> bool:
    revisions = agent.get("status", {}).get("revisions", [])
    return is_ready(agent) and any(each["name"] == revision and each["weight"] > 0 for each in revisions)
