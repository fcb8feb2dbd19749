"""The demo, step by step: a cluster, images, the chart, the handbook, a question."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devcluster import binaries, recipes
from devcluster.errors import DevclusterError
from devcluster.progress import console, say, step
from slipway_demo import builders, chart, diagnosis, question, stopwatch, waiting
from slipway_demo.clusters import Target
from slipway_demo.documents import manifests
from slipway_demo.errors import DemoError
from slipway_demo.keys import demo_key, key_entry
from slipway_demo.kube import Kube

NAMESPACE = "demo"
AGENT = "demo/handbook"
FIRST_QUESTION = "What happens to a conversation when a pod is killed?"
RELEASE_DEADLINE_S = 300
KINDS_DEADLINE_S = 600


def up(target: Target, *, docs: Path | None, ask: str) -> None:
    """Bring everything up and ask a question. Raises DemoError or DevclusterError, with what to look at."""
    begun = stopwatch.started()
    warm = caches_are_warm()
    kube, _ = prepare(target, values())
    try:
        apply_handbook(kube, docs)
        gateway = target.open_gateway()
        with step("asking a question"):
            answer = question.ask(gateway, demo_key(), ask, agent=AGENT)
    except DemoError as error:
        raise DemoError(f"{error}\n\n{diagnosis.describe(kube, (chart.NAMESPACE, NAMESPACE))}") from error
    question.show(ask, answer)
    _say_what_next(target, gateway)
    say(f"Took {stopwatch.verdict(begun, warm=warm)}")


def prepare(target: Target, chart_values: Mapping[str, Any]) -> tuple[Kube, dict[str, str]]:
    """Start the cluster, bring the images there, install the chart and wait for its pods.

    Returns the tools for the cluster, and the images' tags. Raises DemoError or DevclusterError, with what to look at.
    """
    target.start()
    builder = target.builder()
    tags = builders.ensure(builder)
    registry = target.publish(builder, tags)
    kube = target.kube()
    chart.install(kube, {**chart_values, **chart.image_values(registry, tags)})
    try:
        waiting.for_workloads(kube, chart.NAMESPACE, deadline_s=RELEASE_DEADLINE_S)
    except DemoError as error:
        raise DemoError(f"{error}\n\n{diagnosis.describe(kube, (chart.NAMESPACE,))}") from error
    return kube, tags


def apply_handbook(kube: Kube, docs: Path | None) -> None:
    """Apply the example into a namespace that enforces the restricted standard, and wait until it is Ready."""
    kube.apply([chart.namespace(NAMESPACE)])
    with manifests(docs) as folder, step("applying the handbook"):
        kube.run("apply", "--server-side", f"--filename={folder}")
    waiting.for_kinds(kube, NAMESPACE, deadline_s=KINDS_DEADLINE_S)


def down(target: Target) -> None:
    """Remove what `up` made: the cluster if it is ours, else the release, its namespaces and its kinds."""
    if not target.owned:
        _clear(target.kube())
    target.stop()


def values() -> dict[str, Any]:
    """Chart values of the demo: its key may ask, and the handbook answers where no agent is named."""
    return {"gateway": {"auth": {"keys": [key_entry(demo_key())]}, "defaultAgent": AGENT}}


def caches_are_warm() -> bool:
    """Whether the slow part, Kubernetes' binaries, was built before."""
    try:
        return (binaries.home(recipes.kubernetes()) / recipes.kubernetes().name).is_file()
    except DevclusterError:  # no Go here: another cluster is used, or the next step says what is missing
        return False


def _clear(kube: Kube) -> None:
    kinds = "agents.slipway.dev,vectorindexes.slipway.dev"
    if not kube.works("get", kinds, "--all-namespaces"):
        kinds = ""
    if kinds:
        others = {item["metadata"]["namespace"] for item in kube.items(kinds, "--all-namespaces")} - {NAMESPACE}
        if others:
            raise DemoError(
                f"agents or indexes that the demo did not make are in {', '.join(sorted(others))}; removing the kinds "
                "would delete them. Delete them yourself, then call this again."
            )
        with step("deleting agents and indexes"):  # while the operator is there to release them
            kube.run("delete", kinds, "--all", f"--namespace={NAMESPACE}", "--ignore-not-found", "--timeout=120s")
    with step("removing the release, its namespaces and its kinds"):
        chart.uninstall(kube)
        kube.run("delete", "namespace", NAMESPACE, chart.NAMESPACE, "--ignore-not-found", "--timeout=300s")
        names = [item["metadata"]["name"] for item in kube.items("customresourcedefinitions")]
        ours = [name for name in names if name.endswith(".slipway.dev")]
        if ours:
            kube.run("delete", "customresourcedefinition", *ours)


def _say_what_next(target: Target, gateway: str) -> None:
    say(f"\nThe gateway is at {gateway}. Its API key for this demo is {demo_key()}")
    say("Ask the next question:\n")
    console.print(f"  {question.curl(gateway, demo_key(), agent=AGENT)}\n", markup=False, soft_wrap=True)
    say("Look around:\n")
    console.print(f"  {target.hint()}\n", markup=False, soft_wrap=True)
    say(f"Stop and remove everything: {target.removal}\n")
