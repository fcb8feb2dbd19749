"""The floor: a client that knows what to write and writes it, with nothing in between.

It applies the Agents, applies the very objects that the operator's builders make of them, and writes each Agent's final
status as soon as its Deployment is available. Everything is prepared before the clock starts. It leads nothing, watches
nothing but Deployments, looks at nothing before it writes, and says nothing in between.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.fleet import IN_FLIGHT, is_available, limited, watching
from benchmarks.kubernetes_http import KubernetesHttp
from benchmarks.population import agent_manifest, agent_name, children, like, revision_of
from slipway_operator.core.objects import DEPLOYMENT, object_kind

AGENT = object_kind("Agent")


@dataclass(frozen=True)
class Prepared:
    """One Agent with all that is to be written for it."""

    name: str
    manifest: Mapping[str, Any]
    children: list[dict[str, Any]]
    """The Deployment is the last."""
    revision: str
    status: Mapping[str, Any]


def prepare(namespace: str, count: int, *, sample: Mapping[str, Any], sampled_from: str) -> list[Prepared]:
    """Everything that will be written. `sample`: the status of the first Agent in the namespace `sampled_from`."""
    made = []
    for number in range(count):
        names = {
            revision_of(sampled_from, 0): revision_of(namespace, number),
            agent_name(0): agent_name(number),
            f"/{sampled_from}/": f"/{namespace}/",
        }
        made.append(
            Prepared(
                name=agent_name(number),
                manifest=agent_manifest(namespace, number),
                children=[dict(child) for child in children(namespace, number, uid="")],
                revision=revision_of(namespace, number),
                status=like(sample, names=names),
            )
        )
    return made


async def bring_up(kube: KubernetesHttp, namespace: str, agents: list[Prepared]) -> float:
    """Write everything, and wait until all is Ready. Returns the seconds that it took."""
    by_revision = {agent.revision: agent for agent in agents}
    slots = asyncio.Semaphore(IN_FLIGHT)
    async with watching(kube, DEPLOYMENT.path(namespace)) as deployments:
        began = time.perf_counter()
        writing = asyncio.create_task(limited(_write(kube, namespace, agent) for agent in agents))
        reported: set[str] = set()
        async with asyncio.TaskGroup() as reports:
            while len(reported) < len(agents):
                await deployments.until(lambda: bool(_available(deployments.objects, reported)), "available pods")
                for name in _available(deployments.objects, reported):
                    reported.add(name)
                    reports.create_task(_report(kube, namespace, by_revision[name], slots))
            await writing
        return time.perf_counter() - began


def _available(deployments: Mapping[str, dict[str, Any]], reported: set[str]) -> list[str]:
    return [name for name, found in deployments.items() if name not in reported and is_available(found)]


async def _write(kube: KubernetesHttp, namespace: str, agent: Prepared) -> None:
    applied = await kube.apply(AGENT.path(namespace, agent.name), agent.manifest)
    for child in agent.children:
        child["metadata"]["ownerReferences"][0]["uid"] = applied["metadata"]["uid"]
    *others, deployment = agent.children
    await asyncio.gather(*(_apply(kube, child) for child in others))
    await _apply(kube, deployment)


async def _apply(kube: KubernetesHttp, manifest: Mapping[str, Any]) -> None:
    metadata = manifest["metadata"]
    await kube.apply(object_kind(manifest["kind"]).path(metadata["namespace"], metadata["name"]), manifest)


async def _report(kube: KubernetesHttp, namespace: str, agent: Prepared, slots: asyncio.Semaphore) -> None:
    async with slots:
        await kube.merge(AGENT.path(namespace, agent.name, "status"), {"status": agent.status})
