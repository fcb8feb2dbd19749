"""The command line of `make deploy`."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster import binaries, recipes
from devcluster.progress import say
from scripts.deploy.cluster import KubernetesUser, ReleaseCluster
from scripts.deploy.metrics import Bars
from scripts.deploy.objects import Strategy
from scripts.deploy.published import parse
from scripts.deploy.release import Release
from scripts.deploy.steps import FAILED, Deployment
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube

KEY = "SLIPWAY_SMOKE_KEY"
BARS = Bars()
BACK = "roll-back"
STEPS = {
    "start": Deployment.start,
    "compare": Deployment.compare,
    "switch": Deployment.switch,
    "finish": Deployment.finish,
}
"""The steps of a release. BACK needs none of a release's files."""


def parser() -> argparse.ArgumentParser:
    """What can be said."""
    made = argparse.ArgumentParser(prog="scripts.deploy", description="One step of a deployment, by digest.")
    made.add_argument("step", choices=[*STEPS, BACK])
    made.add_argument("--context", required=True, help="the cluster, by its context in the kubeconfig")
    made.add_argument("--strategy", type=Strategy, choices=list(Strategy))
    made.add_argument("--published", type=Path, help="JSON of every image and the chart, with digests")
    made.add_argument("--values", type=Path, nargs="+", help="files of this environment's values; the last one wins")
    made.add_argument("--agents", type=Path, nargs="*", default=[], help="manifests that are delivered with it")
    made.add_argument("--agent", default="demo/handbook", help="NAMESPACE/NAME of the agent that is asked")
    made.add_argument("--question", default="What is a revision?")
    made.add_argument("--minutes", type=float, default=10, help="how long old and new are compared")
    made.add_argument("--questions", type=int, default=60, help="questions to each side in that time")
    return made


def cluster(context: str) -> ReleaseCluster:
    """The cluster of that context and no other, whatever kubectl is set to."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        raise DemoError("kubectl is missing: install it")
    say(f"cluster: {context}")
    helm = str(binaries.ensure(recipes.HELM))
    return ReleaseCluster(Kube((kubectl, f"--context={context}"), (helm, f"--kube-context={context}")))


def deployment(arguments: argparse.Namespace, *, key: str, bars: Bars = BARS) -> Deployment:
    """What the arguments say. Raises DemoError where they lack what a step with a release needs."""
    missing = [name for name in ("strategy", "published", "values") if not getattr(arguments, name)]
    if missing:
        raise DemoError(f"{arguments.step} needs more: say {', '.join(f'{name.upper()}=...' for name in missing)}")
    if not arguments.published.is_file():
        raise DemoError(f"{arguments.published} is missing: `make publish-images` and `make publish-chart` write it")
    return Deployment(
        cluster(arguments.context),
        parse(arguments.published.read_text()),
        arguments.values,
        arguments.strategy,
        KubernetesUser(key, arguments.agent, arguments.question),
        arguments.agents,
        minutes=arguments.minutes,
        questions=arguments.questions,
        bars=bars,
    )


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 with a message where the step failed."""
    arguments = parser().parse_args(given)
    try:
        if arguments.step == BACK:
            Release(cluster(arguments.context)).roll_back()
        else:
            STEPS[arguments.step](deployment(arguments, key=os.environ.get(KEY, "")))
    except FAILED as error:
        say(f"\n{error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
