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
from scripts.deploy.cluster import NEW, STABLE, Caller, Cluster
from scripts.deploy.metrics import Bars, grown, objections
from scripts.deploy.objects import CANDIDATE, GATEWAY, Strategy
from scripts.deploy.published import Published
from slipway_demo.builders import is_loopback
from slipway_demo.errors import DemoError

RELEASE = "slipway"
TIMEOUT = "15m"
FAILED = (DemoError, DevclusterError)


@dataclass(frozen=True)
class Deployment:
    """What is deployed where, and how."""

    cluster: Cluster
    published: Published
    values: Sequence[Path]
    strategy: Strategy
    caller: Caller
    agents: Sequence[Path] = ()
    """Manifests of agents that are delivered with the release, into the namespace of the agent that is asked."""
    minutes: float = 10
    questions: int = 60
    bars: Bars = field(default_factory=Bars)
    wait: Callable[[float], None] = time.sleep

    def start(self) -> None:
        """The new gateway beside the old ones, asked a question before the callers' next one."""
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
        """Ask old and new for a while, beside the callers, and compare what they counted. Raises DemoError if worse."""
        old, new = self.cluster.counted(STABLE), self.cluster.counted(NEW)
        with step(f"comparing the new gateway with the old ones for {self.minutes:g} minutes"):
            for _ in range(self.questions):
                for selector in (NEW, STABLE):
                    self.ask(selector)
                self.wait(self.minutes * 60 / self.questions)
        candidate, baseline = grown(new, self.cluster.counted(NEW)), grown(old, self.cluster.counted(STABLE))
        found = objections(baseline, candidate, self.bars)
        if found:
            raise DemoError("the new gateway does not serve as the old ones do: " + "; ".join(found))
        say(f"compared: {candidate.requests:.0f} requests to the new gateway, {baseline.requests:.0f} to the old ones")

    def switch(self) -> None:
        """Blue/green: all callers to the new gateways, the old ones still running."""
        if self.strategy is not Strategy.BLUE_GREEN:
            raise DemoError(f"{self.strategy} has nothing to switch; the step is for {Strategy.BLUE_GREEN}")
        self.cluster.gateways(NEW)
        self.lead(objects.BESIDE)

    def finish(self) -> None:
        """The whole release by helm, which goes back by itself where pods do not become ready; then agents, a question.

        Blue/green replaces the idle gateways first: helm leads the callers back to them.
        """
        if self.strategy is Strategy.BLUE_GREEN:
            with step(f"replacing {GATEWAY} while nobody calls it"):
                self.cluster.apply(objects.gateway_of(self.rendered()))
                self.cluster.run("rollout", "status", f"deployment/{GATEWAY}", f"--timeout={TIMEOUT}")
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
            raise DemoError(f"the release was taken back to revision {before}: {error}") from error
        self.remove()

    def roll_back(self) -> None:
        """Callers to the release's own gateways, these as helm has them, and what was started beside them away."""
        self.lead(objects.LIVE)
        present = self.revision()
        if self.strategy is Strategy.BLUE_GREEN and present:
            self.restore(present)
        self.remove()

    def restore(self, revision: str) -> None:
        """The release as it was in one of its revisions; of the present one, what was changed beside helm is undone."""
        with step(f"going back to revision {revision}"):
            place = f"--namespace={self.cluster.namespace}"
            self.cluster.kube.run_helm("rollback", RELEASE, revision, place, "--wait", f"--timeout={TIMEOUT}")

    def deliver_agents(self) -> None:
        """Apply what is delivered with the release; the operator rolls it out."""
        if self.agents:
            place = f"--namespace={self.caller.agent.partition('/')[0]}"
            files = [f"--filename={path}" for path in self.agents]
            self.cluster.kube.run("apply", "--server-side", "--field-manager=slipway-deploy", place, *files)

    def settled(self) -> None:
        """Every agent ready again, and a question answered."""
        if not self.cluster.kube.items("agents.slipway.dev", "--all-namespaces"):
            say("there are no agents yet, so nothing is asked")
            return
        with step("waiting for the agents"):
            self.cluster.kube.run(
                "wait",
                "agents.slipway.dev",
                "--all",
                "--all-namespaces",
                "--for=condition=Ready",
                f"--timeout={TIMEOUT}",
            )
        self.ask(STABLE)

    def ask(self, selector: str) -> None:
        """A question to one of those gateways."""
        self.cluster.ask(self.cluster.gateways(selector)[0], self.caller)

    def lead(self, part_of: str) -> None:
        """Callers to one side."""
        patch = json.dumps(objects.leads_to(part_of))
        self.cluster.run("patch", f"service/{GATEWAY}", "--type=merge", f"--patch={patch}")
        say(f"callers now reach the pods of {part_of}")

    def remove(self) -> None:
        """Take away what was started beside the release, if anything was."""
        self.cluster.run("delete", f"deployment/{CANDIDATE}", "--ignore-not-found", "--wait")

    def revision(self) -> str | None:
        """The number of the release's present revision; None where it is not installed."""
        asked = (
            "list",
            "--deployed",
            f"--namespace={self.cluster.namespace}",
            f"--filter=^{RELEASE}$",
            "--output=json",
        )
        found = json.loads(self.cluster.kube.run_helm(*asked))
        return str(found[0]["revision"]) if found else None

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
            place = f"--namespace={self.cluster.namespace}"
            chart = [f"oci://{self.published.chart.reference}", place]
            if is_loopback(self.published.registry):  # as `make publish-chart` pushes to one
                chart.append("--plain-http")
            return self.cluster.kube.run_helm(command, *arguments[:1], *chart, *arguments[1:], *files)
