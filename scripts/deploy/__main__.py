"""The command line of `make deploy`."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster import binaries, recipes
from devcluster.progress import say
from scripts.deploy.cluster import Caller, Cluster
from scripts.deploy.objects import Strategy
from scripts.deploy.published import parse
from scripts.deploy.steps import FAILED, Deployment
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube

KEY = "SLIPWAY_SMOKE_KEY"
STEPS = {
    "start": Deployment.start,
    "compare": Deployment.compare,
    "switch": Deployment.switch,
    "finish": Deployment.finish,
    "roll-back": Deployment.roll_back,
}


def parser() -> argparse.ArgumentParser:
    """What can be said."""
    made = argparse.ArgumentParser(prog="scripts.deploy", description="One step of a deployment, by digest.")
    made.add_argument("step", choices=sorted(STEPS))
    made.add_argument("--strategy", type=Strategy, choices=list(Strategy), required=True)
    made.add_argument("--published", type=Path, required=True, help="JSON of every image and the chart, with digests")
    made.add_argument("--values", type=Path, nargs="+", required=True, help="files of this environment's values")
    made.add_argument("--agents", type=Path, nargs="*", default=[], help="manifests that are delivered with it")
    made.add_argument("--agent", default="demo/handbook", help="NAMESPACE/NAME of the agent that is asked")
    made.add_argument("--question", default="What is a revision?")
    made.add_argument("--minutes", type=float, default=10, help="how long old and new are compared")
    made.add_argument("--questions", type=int, default=60, help="questions to each side in that time")
    return made


def deployment(arguments: argparse.Namespace, *, key: str) -> Deployment:
    """What the arguments say. kubectl is the machine's, for the context that it is set to."""
    if not arguments.published.is_file():
        raise DemoError(f"{arguments.published} is missing: `make publish-images` and `make publish-chart` write it")
    kubectl = shutil.which("kubectl")
    if not kubectl:
        raise DemoError("kubectl is missing: install it, and set KUBECONFIG or a context")
    kube = Kube((kubectl,), (str(binaries.ensure(recipes.HELM)),))
    return Deployment(
        Cluster(kube),
        parse(arguments.published.read_text()),
        arguments.values,
        arguments.strategy,
        Caller(key, arguments.agent, arguments.question),
        arguments.agents,
        minutes=arguments.minutes,
        questions=arguments.questions,
    )


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 with a message where the step failed."""
    arguments = parser().parse_args(given)
    try:
        STEPS[arguments.step](deployment(arguments, key=os.environ.get(KEY, "")))
    except FAILED as error:
        say(f"\n{error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
