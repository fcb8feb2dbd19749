"""The steps of a deployment, each of which can be run again."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from devcluster.errors import DevclusterError
from devcluster.progress import say, step
from scripts.deploy import objects
from scripts.deploy.agents import views
from scripts.deploy.cluster import NEW, STABLE, KubernetesUser
from scripts.deploy.metrics import Bars, Questions, Side, grown, objections, restarted
from scripts.deploy.objects import CANDIDATE, GATEWAY, Strategy
from scripts.deploy.published import Published
from scripts.deploy.release import RELEASE, TIMEOUT, Release
from slipway_demo.builders import is_loopback
from slipway_demo.conditions import ObjectSummary
from slipway_demo.errors import DemoError
from slipway_demo.waiting import until_ready

AGENTS_S = 900
FAILED = (DemoError, DevclusterError)


@dataclass(frozen=True)
class Deployment(Release):
    """What is deployed where, and how."""

    published: Published
    values: Sequence[Path]
    strategy: Strategy
    caller: KubernetesUser
    agents: Sequence[Path] = ()
    """Manifests of agents that are delivered with the release, into the namespace of the agent that is asked."""
    minutes: float = 10
    questions: int = 60
    bars: Bars = field(default_factory=Bars)
    wait: Callable[[float], None] = time.sleep

    def start(self) -> None:
        """The new gateway alongside the old ones, each pod asked a question before the callers' next one."""
        self.refuse_rolling()
        if self.revision() is None:
            raise DemoError("nothing is installed yet, so there is nothing to compare with: deploy rolling once")
        gateway = objects.gateway_of(self.rendered())
        live = json.loads(self.cluster.run("get", f"deployment/{GATEWAY}", "--output=json"))
        with step(f"starting {CANDIDATE}"):
            replicas = max(1, live["spec"]["replicas"])
            self.cluster.apply(objects.candidate(gateway, self.strategy, replicas=replicas))
            self.cluster.run("rollout", "status", f"deployment/{CANDIDATE}", f"--timeout={TIMEOUT}")
        self.ask(NEW)

    def compare(self) -> None:
        """Ask old and new for a while, alongside the callers, and compare how they serve. Raises DemoError if worse."""
        self.refuse_rolling()
        pods, new = self.cluster.restarts(NEW), self.cluster.counted(NEW)
        # A canary and the others meet callers in the same minutes. The callers that blue/green has switched met the old
        # gateways before, so all that those ever counted is compared with.
        old = {} if self.strategy is Strategy.BLUE_GREEN else self.cluster.counted(STABLE)
        to_new, to_old = self.ask_both()
        after = self.cluster.counted(NEW)
        candidate = Side(grown(new, after), to_new)
        baseline = Side(grown(old, self.cluster.counted(STABLE)), to_old)
        lost = [f"{pod} is not ready any more" for pod in sorted(new.keys() - after.keys())]
        found = [*lost, *restarted(pods, self.cluster.restarts(NEW)), *objections(baseline, candidate, self.bars)]
        if found:
            raise DemoError("the new gateway does not serve as the old ones do: " + "; ".join(found))
        say(f"compared: {candidate.requests:.0f} requests to the new gateway, {baseline.requests:.0f} to the old ones")

    def ask_both(self) -> tuple[Questions, Questions]:
        """The same questions to new and old, spread over the minutes, and over the pods of each."""
        asked: dict[str, tuple[list[float], list[str]]] = {NEW: ([], []), STABLE: ([], [])}
        with step(f"comparing the new gateway with the old ones for {self.minutes:g} minutes"):
            for turn in range(self.questions):
                for selector, (seconds, failures) in asked.items():
                    try:
                        pods = self.cluster.gateways(selector)
                        seconds.append(self.cluster.ask(pods[turn % len(pods)], self.caller))
                    except FAILED as error:  # counted, since the old ones may fail too
                        failures.append(str(error))
                self.wait(self.minutes * 60 / self.questions)
        return Questions(*asked[NEW]), Questions(*asked[STABLE])

    def refuse_rolling(self) -> None:
        """Raises DemoError where nothing is to be started alongside the release."""
        if self.strategy is Strategy.ROLLING:
            raise DemoError(f"{self.strategy} starts nothing alongside the release: go on with the step finish")

    def switch(self) -> None:
        """Blue/green: all callers to the new gateways, the old ones still running."""
        if self.strategy is not Strategy.BLUE_GREEN:
            raise DemoError(f"{self.strategy} has nothing to switch; the step is for {Strategy.BLUE_GREEN}")
        self.cluster.gateways(NEW)
        self.lead(objects.WAITING)

    def finish(self) -> None:
        """The whole release by helm, which goes back by itself where pods do not become ready; then agents, a question.

        Blue/green replaces the idle gateways first: helm leads the callers back to them.
        """
        if self.strategy is Strategy.BLUE_GREEN:
            with step(f"replacing {GATEWAY} while nobody calls it"):
                self.replace(objects.gateway_of(self.rendered()))
        if self.strategy is Strategy.CANARY:
            self.remove()
        before = self.revision()
        with step("upgrading the release"):
            self.helm("upgrade", RELEASE, "--install", "--create-namespace", "--atomic", f"--timeout={TIMEOUT}")
        try:
            self.deliver_agents()
            self.settled()
        except FAILED as error:
            if before is None:
                raise
            self.restore(before)
            kept = " The manifests of agents stay as delivered: apply the former ones." if self.agents else ""
            raise DemoError(f"the release was taken back to revision {before}.{kept} It failed: {error}") from error
        self.remove()

    def deliver_agents(self) -> None:
        """Apply what is delivered with the release, in a namespace that is made if need be."""
        if self.agents:
            kube, namespace = self.cluster.kube, self.caller.agent.partition("/")[0]
            if not kube.works("get", "namespace", namespace):
                kube.run("create", "namespace", namespace)
            files = [f"--filename={path}" for path in self.agents]
            kube.run("apply", "--server-side", "--field-manager=slipway-deploy", f"--namespace={namespace}", *files)

    def settled(self) -> None:
        """Every agent served by this release, and a question answered by each gateway."""
        if not self.cluster.kube.items("agents.slipway.dev", "--all-namespaces"):
            say("there are no agents yet, so nothing is asked")
            return
        until_ready("waiting for the agents", self.followed, deadline_s=AGENTS_S)
        self.ask(STABLE)

    def followed(self) -> list[ObjectSummary]:
        """How far each agent has followed the release."""
        kube, everywhere = self.cluster.kube, "--all-namespaces"
        return views(
            kube.items("agents.slipway.dev", everywhere),
            kube.items("deployments.apps", everywhere, f"--selector={objects.COMPONENT}=agent"),
            self.published.images["runtime"].digest,
        )

    def ask(self, selector: str) -> None:
        """A question to each of those gateways. Raises DemoError where one does not answer."""
        for pod in self.cluster.gateways(selector):
            self.cluster.ask(pod, self.caller)

    def rendered(self) -> list[dict[str, Any]]:
        """The chart's part with the gateway, as this release has it."""
        # helm asks no cluster for a template, and the chart refuses the version that it would assume.
        server = json.loads(self.cluster.run("version", "--output=json"))["serverVersion"]["gitVersion"]
        text = self.helm("template", RELEASE, "--show-only=templates/gateway.yaml", f"--kube-version={server}")
        return [each for each in yaml.safe_load_all(text) if each]

    def helm(self, command: str, *arguments: str) -> str:
        """helm with the chart and the images by digest."""
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder, "published.json")  # JSON is YAML
            own.write_text(json.dumps(self.published.values()))
            files = [f"--values={path}" for path in (*self.values, own)]
            chart = [f"oci://{self.published.chart.reference}"]
            if is_loopback(self.published.registry):  # as `make publish-chart` pushes to one
                chart.append("--plain-http")
            return self.run_helm(command, *arguments[:1], *chart, *arguments[1:], *files)
