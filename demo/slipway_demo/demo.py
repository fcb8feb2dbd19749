"""The demo, step by step: a cluster, images, the chart, the handbook, a question."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devcluster import binaries, recipes
from devcluster.errors import DevclusterError
from devcluster.progress import console, say, step
from slipway_demo import builders, chart, diagnosis, ownership, question, stopwatch, waiting
from slipway_demo.clusters import TargetCluster
from slipway_demo.documents import QUESTIONS, manifests, questions
from slipway_demo.errors import DemoError
from slipway_demo.keys import demo_key, key_entry
from slipway_demo.kube import Kube
from slipway_demo.model import DemoModel, answered_by
from slipway_demo.ownership import Inventory
from slipway_demo.paths import HANDBOOK

NAMESPACE = ownership.NAMESPACE
AGENT = "demo/handbook"
ASSISTANT_AGENT = "demo/assistant"
RELEASE_DEADLINE_S = 300
KINDS_DEADLINE_S = 600


def up(target: TargetCluster, *, docs: Path | None, ask: str | None, model: DemoModel | None = None) -> None:
    """Bring everything up and ask a question. Raises DemoError or DevclusterError, with what to look at.

    Documents that cannot be used are refused before anything is started. With a model the agent `assistant` writes
    answers; without, `handbook` quotes the documents.
    """
    agent = ASSISTANT_AGENT if model else AGENT
    begun = stopwatch.started()
    warm = caches_are_warm()
    with manifests(docs) as folder:
        first, following = (ask, ask) if ask else questions(folder) if docs else QUESTIONS
        kube, _ = prepare(target, values(agent))
        try:
            if model:
                kube.apply([chart.namespace(NAMESPACE), *model.secrets(NAMESPACE)])
                with answered_by(model, folder, namespace=NAMESPACE) as with_model:
                    apply_handbook(kube, with_model)
            else:
                apply_handbook(kube, folder)
            gateway = target.open_gateway()
            with step("asking a question"):
                answer = question.ask(gateway, demo_key(), first, agent=agent)
        except DemoError as error:
            raise DemoError(f"{error}\n\n{diagnosis.describe(kube, (chart.NAMESPACE, NAMESPACE))}") from error
    question.show(first, answer)
    _say_what_next(target, gateway, following, agent)
    say(f"Took {stopwatch.verdict(begun, warm=warm)}")


def prepare(target: TargetCluster, chart_values: Mapping[str, Any]) -> tuple[Kube, dict[str, str]]:
    """Start the cluster, bring the images there, install the chart and wait for its pods.

    Returns the tools for the cluster, and the images' tags. Raises DemoError or DevclusterError, with what to look at,
    and DemoError before anything is touched where a cluster of the user's has something of Slipway in it.
    """
    target.start()
    if not target.owned and (refusal := ownership.refusal(ownership.look(target.kube()))):
        raise DemoError(refusal)
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


def apply_handbook(kube: Kube, folder: Path = HANDBOOK) -> None:
    """Apply the example into a namespace that enforces the restricted standard, and wait until it is Ready.

    Fields that somebody changed since are given the example's values again, which is said.
    """
    kube.apply([chart.namespace(NAMESPACE)])
    apply = ("apply", "--server-side", f"--filename={folder}")
    with step("applying the handbook"):
        try:
            kube.run(*apply)
        except DevclusterError as error:
            if "conflict" not in str(error):
                raise
            say("  what was changed in the cluster is given the example's values again")
            kube.run(*apply, "--force-conflicts")
    waiting.for_kinds(kube, NAMESPACE, deadline_s=KINDS_DEADLINE_S)


def down(target: TargetCluster) -> None:
    """Remove what `up` made, and nothing else: the cluster if it is ours, else the release, namespaces and kinds.

    Raises DemoError where agents of somebody else need the kinds, and DevclusterError when the cluster does not answer.
    """
    if not target.owned:
        _clear(target.kube())
    target.stop()


def values(agent: str = AGENT) -> dict[str, Any]:
    """Chart values of the demo: its key may ask, and this agent answers where none is named."""
    return {"gateway": {"auth": {"keys": [key_entry(demo_key())]}, "defaultAgent": agent}}


def caches_are_warm() -> bool:
    """Whether the slow part, Kubernetes' binaries, was built before."""
    try:
        return (binaries.home(recipes.kubernetes()) / recipes.kubernetes().name).is_file()
    except DevclusterError:  # no Go here: another cluster is used, or the next step says what is missing
        return False


def _clear(kube: Kube) -> None:
    there = ownership.look(kube)
    if there.strangers:
        say(f"left alone, since the demo did not make it: {', '.join(there.strangers)}. {ownership.adoption(there)}")
    if not there.ours:
        say("Nothing in this cluster was made by the demo.")
        return
    if there.release_is_ours:
        _check_kinds_can_go(kube, there)
    if NAMESPACE in there.ours and there.kinds:
        with step("deleting agents and indexes"):  # while the operator is there to release them
            kube.run("delete", ",".join(there.kinds), "--all", f"--namespace={NAMESPACE}", "--timeout=120s")
    with step("removing what the demo made"):
        if there.release_is_ours:
            chart.uninstall(kube)
        kube.run("delete", "namespace", *there.ours, "--ignore-not-found", "--timeout=300s")
        if there.release_is_ours and there.kinds:
            _check_kinds_can_go(kube, there)  # once more: the namespaces took their time
            kube.run("delete", "customresourcedefinition", *there.kinds)


def _check_kinds_can_go(kube: Kube, there: Inventory) -> None:
    objects = kube.items(",".join(there.kinds), "--all-namespaces") if there.kinds else []
    if refusal := ownership.elsewhere(objects, there):
        raise DemoError(refusal)


def _say_what_next(target: TargetCluster, gateway: str, following: str, agent: str) -> None:
    say(f"\nThe gateway is at {gateway}. Its API key for this demo is {demo_key()}")
    say("Ask the next question:\n")
    console.print(f"  {question.curl(gateway, demo_key(), following, agent=agent)}\n", markup=False, soft_wrap=True)
    say("Look around with your own kubectl:\n")
    console.print(f"  {target.hint()}\n", markup=False, soft_wrap=True)
    say(f"Stop and remove everything: {target.removal}\n")
