"""What host, gateway and operator use until they are ready, the host after a thousand questions, and how long a person
waits for `slipway dev`.

Each is started several times, with its bytecode compiled as in the images. The operator's API server is a real one, a
devcluster without a node, with our CRDs and one Agent that waits for its index.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, stack
from benchmarks.asking import ask_all
from benchmarks.figures import BenchmarkReport, Figure
from benchmarks.processes import ProcessUsage, Running, answers, environment, fetch, running
from benchmarks.question import asking, simple_questions
from benchmarks.stack import StackParts
from devcluster import lifecycle
from devcluster.settings import DEFAULT_MINOR, Cluster, cluster, kubernetes_version
from slipway_crds.definitions import custom_resource_definition
from slipway_crds.registry import KINDS
from slipway_operator.core.objects import object_kind
from tests.support.api_server import api_server
from tests.support.operator_manifests import agent
from tests.support.operator_process import installation_secrets
from tests.support.servers import free_port
from tests.support.waiting import until_async

AGENT = object_kind("Agent")

CLUSTER = "bench-api"
RELEASE = "slipway-system"
HOST_CPU_BAR = 2.0
HOST_RSS_BAR_MIB = 320.0
DEV_BAR = 5.0
QUESTIONS = 1000
IN_FLIGHT = 8


@dataclass(frozen=True)
class StartupSize:
    """How much is measured."""

    starts: int
    questions: int


FULL, REDUCED = StartupSize(starts=5, questions=QUESTIONS), StartupSize(starts=1, questions=100)

Start = Callable[[], AbstractAsyncContextManager[Running]]


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """Run the benchmark. `wait`: seconds that may be waited for a quiet machine once all is set up."""
    size = REDUCED if reduced else FULL
    async with AsyncExitStack() as entered:
        made = await entered.enter_async_context(stack.parts())
        desired = cluster(CLUSTER)
        entered.push_async_callback(asyncio.to_thread, lifecycle.down, desired)
        await api_only(desired)
        load = await machine.quiet(wait)
        hosts = await starts(lambda: stack.host(made), size.starts)
        gateways = await starts(lambda: stack.gateway(made), size.starts)
        operators = await starts(lambda: operator(made, desired), size.starts)
        after = await after_questions(made, size.questions)
        waits = await dev_waits(made, size.starts)
    return machine.report(
        "startup",
        [
            Figure("CPU until ready, host", _cpu(hosts), "s", HOST_CPU_BAR, "with the model loaded and used once"),
            Figure("CPU until ready, gateway", _cpu(gateways), "s"),
            Figure("CPU until ready, operator", _cpu(operators), "s", note="until it leads and has looked at an Agent"),
            Figure("memory when ready, host", _rss(hosts), "MiB"),
            Figure("memory when ready, gateway", _rss(gateways), "MiB"),
            Figure("memory when ready, operator", _rss(operators), "MiB"),
            Figure(f"memory of the host after {size.questions} questions", after.rss, "MiB", HOST_RSS_BAR_MIB),
            Figure("slipway dev, second start, to serving", statistics.median(waits), "s", DEV_BAR),
        ],
        load_before=load,
        reduced=reduced,
        packages=("onnxruntime", "langgraph", "kopf", "kubernetes"),
        versions={"Kubernetes": kubernetes_version(DEFAULT_MINOR)},
        notes=[f"Medians of {size.starts} starts, by each process's own /metrics, bytecode compiled, tracing on."],
    )


async def starts(start: Start, count: int) -> list[ProcessUsage]:
    """What is used until ready, start by start. One start before them compiles the bytecode and is not counted."""
    used = []
    for _ in range(count + 1):
        async with start() as process:
            used.append(process.usage())
    return used[1:]


async def api_only(desired: Cluster) -> None:
    """A fresh API server with our CRDs, and one Agent, which waits for its index."""
    await asyncio.to_thread(lifecycle.down, desired)
    await asyncio.to_thread(lifecycle.up, desired, minor=DEFAULT_MINOR, api_only=True)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RELEASE}}
    async with api_server(str(desired.kubeconfig)) as api:
        await api.request("POST", "/api/v1/namespaces", namespace)
        for kind in KINDS.values():
            definition = custom_resource_definition(kind)
            name = definition["metadata"]["name"]
            await api.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", definition)
        path = AGENT.path(RELEASE, "lonely")

        async def applied() -> bool:
            return (await api.apply(path, agent(RELEASE, "lonely"))).accepted

        await until_async(applied, "the API server takes an Agent")


def operator(made: StackParts, desired: Cluster) -> AbstractAsyncContextManager[Running]:
    """An operator that works: it leads, and has looked at the Agent."""
    dsn, port = made.folder / "admin-dsn", free_port()
    dsn.write_text(made.dsn.replace("postgres:@", "postgres:benchmark@"))
    env = environment(
        KUBECONFIG=str(desired.kubeconfig),
        SLIPWAY_OPERATOR_RUNTIME_IMAGE="slipway.local/runtime:none",
        SLIPWAY_OPERATOR_CHROMA_IMAGE="slipway.local/chroma:none",
        SLIPWAY_OPERATOR_ADMIN_DSN_FILE=str(dsn),
        SLIPWAY_OPERATOR_STORE_HOST="postgres.none",
        SLIPWAY_OPERATOR_PROBE_PORT=str(port),
        **installation_secrets(made.folder),
    )
    command = [str(Path(sys.executable).with_name("slipway-operator"))]
    log = made.folder / "operator.log"
    url = f"http://127.0.0.1:{port}"
    return running(command, env=env, url=url, log=log, metrics_port=port, ready=has_reconciled)


def has_reconciled(url: str) -> bool:
    """Whether the operator has looked at anything yet."""
    return answers(f"{url}/metrics") and "slipway_operator_reconciles_total{" in fetch(f"{url}/metrics")


async def after_questions(made: StackParts, count: int) -> ProcessUsage:
    """What a host has used after so many questions."""
    async with stack.host(made) as host, stack.gateway(made) as gateway:
        stack.route(made, host)
        async with asking(gateway, made.agent) as ask:
            await ask_all(ask, await simple_questions(ask), count=count, in_flight=IN_FLIGHT)
        return host.usage()


async def dev_waits(made: StackParts, count: int) -> list[float]:
    """Seconds from a command of `slipway dev` to its /readyz, start by start but for the first, which ingests."""
    waits = []
    for _ in range(count + 1):
        began, port = time.monotonic(), free_port()
        command = [stack.SLIPWAY, "dev", "-f", str(stack.HANDBOOK), "--data", str(made.folder / "dev")]
        async with running(
            [*command, "--port", str(port)],
            env=environment(),
            url=f"http://127.0.0.1:{port}",
            log=made.folder / "dev.log",
        ):
            waits.append(time.monotonic() - began)
    return waits[1:]


def _cpu(used: list[ProcessUsage]) -> float:
    return statistics.median(each.cpu for each in used)


def _rss(used: list[ProcessUsage]) -> float:
    return statistics.median(each.rss for each in used)
