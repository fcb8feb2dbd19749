"""The order of each step, and the way back, over a kubectl and a helm that write down what they are asked for."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from devcluster.errors import DevclusterError
from scripts.deploy import objects
from scripts.deploy.cluster import NEW, KubernetesUser, ReleaseCluster
from scripts.deploy.metrics import Sample
from scripts.deploy.objects import Strategy
from scripts.deploy.published import Published
from scripts.deploy.release import Release
from scripts.deploy.steps import Deployment
from slipway_demo import waiting
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube
from tests.deploy.conftest import DIGEST
from tests.deploy.test_agents import agent, open_condition
from tests.deploy.test_agents import deployment as deployment_of_agents

LABELS = {objects.PART_OF: "slipway", objects.COMPONENT: "gateway"}
GATEWAY: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": objects.GATEWAY, "labels": dict(LABELS)},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": dict(LABELS)},
        "template": {"metadata": {"labels": dict(LABELS)}, "spec": {}},
    },
}
OLD: dict[str, Any] = GATEWAY | {
    "spec": GATEWAY["spec"] | {"template": {"metadata": {"labels": dict(LABELS)}, "spec": {"volumes": ["old"]}}}
}
"""As helm has it."""


@dataclass
class World:
    """What is in the cluster, and all that was done to it, in order."""

    done: list[str] = field(default_factory=list)
    installed: bool = True
    agents: int = 1
    breaks: str = ""
    """A word of the call that fails."""
    fails: Mapping[str, float] = field(default_factory=dict)
    """Share of its questions that a pod does not answer."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Share of its answers that a pod counts as errors."""
    ever: float = 0
    """Requests that the old gateways had answered when the deployment began, one in ten with an error."""
    crashes: bool = False
    """The new gateway, whenever it is asked."""
    unready: bool = False
    """One of the new gateways, from its first question on."""
    namespace: bool = True
    shifting: bool = False
    """Agents never follow."""

    def tell(self, what: str) -> None:
        self.done.append(what)
        if self.breaks and self.breaks in what:
            raise DevclusterError(f"{what} failed")


@dataclass(frozen=True)
class FakeKube(Kube):
    world: World = field(default_factory=World)

    def run(self, *arguments: str) -> str:
        self.world.tell(" ".join(each for each in arguments if not each.startswith("--namespace")))
        if "version" in arguments:
            return json.dumps({"serverVersion": {"gitVersion": "v1.34.2-gke.100"}})
        return json.dumps(GATEWAY) if "get" in arguments else ""

    def works(self, *arguments: str) -> bool:
        assert arguments == ("get", "namespace", "demo")
        return self.world.namespace

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        if "deployments.apps" in arguments:
            return [deployment_of_agents("handbook-1", DIGEST)]
        self.world.done.append("look at agents")
        more = [open_condition("Reconciling")] if self.world.shifting else []
        return [agent(*more, serving="handbook-1")] * self.world.agents

    def run_helm(self, *arguments: str) -> str:
        if arguments[0] == "list":
            return json.dumps([{"revision": "7"}] if self.world.installed else [])
        self.world.tell("helm " + " ".join(arguments))
        if arguments[0] == "template":
            return yaml.safe_dump(GATEWAY)
        return "---\n" + yaml.safe_dump_all([{"kind": "Service"}, OLD]) if arguments[0] == "get" else ""


@dataclass(frozen=True)
class FakeCluster(ReleaseCluster):
    world: World = field(default_factory=World)

    def apply(self, manifest: Mapping[str, Any]) -> None:
        self.world.tell(f"apply {manifest['metadata']['name']}")

    def replace(self, manifest: Mapping[str, Any]) -> None:
        self.world.tell(f"replace {manifest['metadata']['name']} {manifest['spec']['template']['spec']}")

    def gateways(self, selector: str) -> list[str]:
        new = (
            ["new-1"]
            if any("ask new-2" in each for each in self.world.done) and self.world.unready
            else ["new-1", "new-2"]
        )
        return new if selector == NEW else ["old-1", "old-2"]

    def restarts(self, selector: str) -> Mapping[str, int]:
        pods = self.gateways(selector)
        return {pod: self.world.done.count(f"ask {pod}") if self.world.crashes else 0 for pod in pods}

    def counted(self, selector: str) -> Mapping[str, Sample]:
        found = {}
        for pod in self.gateways(selector):
            asked = float(self.world.done.count(f"ask {pod}"))
            ever = 0 if selector == NEW else self.world.ever
            found[pod] = Sample(asked + ever, asked * self.world.errors.get(pod, 0) + ever / 10)
        return found

    def ask(self, pod: str, caller: KubernetesUser) -> float:
        asked = self.world.done.count(f"ask {pod}")
        self.world.tell(f"ask {pod}")
        if asked < self.world.fails.get(pod, 0) * 30:
            raise DemoError(f"{pod}: the gateway answered 500")
        return 0.4


def deployment(published: Published, world: World, strategy: Strategy, waits: list[float] | None = None) -> Deployment:
    return Deployment(
        FakeCluster(FakeKube(("kubectl",), ("helm",), world), world=world),
        published,
        [Path("values.yaml")],
        strategy,
        KubernetesUser("key", "demo/handbook", "What?"),
        [Path("agent.yaml")],
        wait=(waits if waits is not None else []).append,
    )


def places(world: World, *words: str) -> list[int]:
    """Where in the order of things each of those was done. Fails where one was not."""
    return [next(place for place, each in enumerate(world.done) if word in each) for word in words]


def in_order(world: World, words: Sequence[str]) -> bool:
    found = places(world, *words)
    return found == sorted(found)


@pytest.mark.parametrize("strategy", [Strategy.CANARY, Strategy.BLUE_GREEN])
def test_the_new_gateway_is_started_beside_from_the_digests_and_asked(published: Published, strategy: Strategy) -> None:
    world = World()
    deployment(published, world, strategy).start()
    assert in_order(world, ["helm template", f"apply {objects.CANDIDATE}", "rollout status", "ask new-1"])
    (template,) = [each for each in world.done if each.startswith("helm template")]
    assert f"oci://registry.test/slipway/charts/slipway@{DIGEST}" in template
    assert "--kube-version=v1.34.2-gke.100" in template
    assert not any("patch" in each or "helm upgrade" in each for each in world.done)


def test_where_nothing_is_installed_there_is_nothing_to_compare_with(published: Published) -> None:
    world = World(installed=False)
    with pytest.raises(DemoError, match="deploy rolling once"):
        deployment(published, world, Strategy.CANARY).start()
    assert world.done == []


@pytest.mark.parametrize("step", [Deployment.start, Deployment.compare])
def test_rolling_starts_nothing_beside(published: Published, step: Callable[[Deployment], None]) -> None:
    world = World()
    with pytest.raises(DemoError, match="rolling starts nothing alongside the release"):
        step(deployment(published, world, Strategy.ROLLING))
    assert world.done == []


def test_old_and_new_are_asked_as_often_over_the_whole_time_and_every_pod(published: Published) -> None:
    world, waits = World(), list[float]()
    deployment(published, world, Strategy.CANARY, waits).compare()
    assert [world.done.count(f"ask {pod}") for pod in ("new-1", "new-2", "old-1", "old-2")] == [30, 30, 30, 30]
    assert sum(waits) == pytest.approx(600)


@pytest.mark.parametrize(
    ("world", "says"),
    [
        (World(errors={"new-2": 1}), r"50\.0% of its answers are errors"),
        (World(fails={"new-2": 0.5}), r"25\.0% of the questions to it had no answer.*new-2: the gateway answered 500"),
        (World(crashes=True), r"its pod new-1 restarted 30 times"),
        (World(unready=True), r"new-2 is not ready any more"),
    ],
)
def test_a_worse_gateway_ends_the_deployment(published: Published, world: World, says: str) -> None:
    with pytest.raises(DemoError, match=says):
        deployment(published, world, Strategy.CANARY).compare()


def test_old_gateways_that_fail_do_not_keep_their_mending_out(published: Published) -> None:
    world = World(fails={"old-1": 1, "old-2": 1}, errors={"old-1": 1, "old-2": 1})
    deployment(published, world, Strategy.CANARY).compare()


def test_callers_who_were_switched_are_compared_with_what_they_met_before(published: Published) -> None:
    """Errors of their agents come with them; the old gateways meet only questions by then."""
    world = World(errors={"new-1": 0.1, "new-2": 0.1}, ever=10_000)
    deployment(published, world, Strategy.BLUE_GREEN).compare()
    with pytest.raises(DemoError, match=r"10\.0% of its answers are errors, of the others' 0\.0%"):
        deployment(published, world, Strategy.CANARY).compare()


def test_blue_green_switches_callers_and_replaces_the_idle_gateways_before_helm_leads_back(
    published: Published,
) -> None:
    world = World()
    made = deployment(published, world, Strategy.BLUE_GREEN)
    made.switch()
    assert "slipway-candidate" in world.done[-1]
    made.finish()
    order = ["patch service", f"replace {objects.GATEWAY}", "rollout status", "helm upgrade", "ask old-1"]
    assert in_order(world, [*order, f"delete deployment/{objects.CANDIDATE}"])


def test_only_blue_green_switches(published: Published) -> None:
    world = World()
    with pytest.raises(DemoError, match="nothing to switch"):
        deployment(published, world, Strategy.CANARY).switch()
    assert world.done == []


@pytest.mark.parametrize("strategy", [Strategy.CANARY, Strategy.ROLLING])
def test_the_rest_is_one_upgrade_by_digest_that_goes_back_by_itself(published: Published, strategy: Strategy) -> None:
    world = World()
    deployment(published, world, strategy).finish()
    (upgrade,) = [each for each in world.done if "helm upgrade" in each]
    assert "--atomic" in upgrade
    assert f"@{DIGEST}" in upgrade
    assert upgrade.index("--values=values.yaml") < upgrade.index("/published.json")  # the later one wins
    assert in_order(world, ["helm upgrade", "--filename=agent.yaml", "ask old-1"])


@pytest.mark.parametrize("world", [World(shifting=True), World(breaks="ask old-2")])
def test_a_release_whose_agents_do_not_follow_or_that_does_not_answer_is_taken_back_but_for_agents(
    published: Published, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(step=60)  # a clock that goes on whenever it is looked at
    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda _: None))
    with pytest.raises(DemoError, match=r"taken back to revision 7\. The manifests of agents stay as delivered"):
        deployment(published, world, Strategy.ROLLING).finish()
    assert world.done[-1].startswith("helm rollback slipway 7")


@pytest.mark.parametrize("there", [True, False])
def test_the_namespace_of_what_is_delivered_is_made_where_it_is_missing(published: Published, there: bool) -> None:
    world = World(namespace=there)
    deployment(published, world, Strategy.ROLLING).finish()
    assert ("create namespace demo" in world.done) is not there
    assert there or in_order(world, ["create namespace demo", "--filename=agent.yaml"])


def test_a_first_installation_that_fails_stays_to_be_looked_at(published: Published) -> None:
    world = World(installed=False, breaks="ask old-1")
    with pytest.raises(DevclusterError):
        deployment(published, world, Strategy.ROLLING).finish()
    assert not any("rollback" in each for each in world.done)


def test_without_agents_nobody_is_asked(published: Published) -> None:
    world = World(agents=0)
    deployment(published, world, Strategy.ROLLING).finish()
    assert not any(each.startswith("ask") for each in world.done)


def test_the_way_back_leads_callers_first_and_needs_nothing_of_a_release() -> None:
    world = World()
    Release(FakeCluster(FakeKube(("kubectl",), ("helm",), world), world=world)).roll_back()
    patch, manifest, _, replace, rollout, delete = world.done
    assert json.loads(patch.partition("--patch=")[2]) == objects.leads_to(objects.LIVE)
    assert manifest == "helm get manifest slipway --revision=7 --namespace=slipway-system"
    assert replace == f"replace {objects.GATEWAY} {{'volumes': ['old']}}"
    assert rollout.startswith("rollout status")
    assert delete.startswith(f"delete deployment/{objects.CANDIDATE} --ignore-not-found")


def test_where_nothing_is_installed_there_is_no_way_back() -> None:
    world = World(installed=False)
    Release(FakeCluster(FakeKube(("kubectl",), ("helm",), world), world=world)).roll_back()
    assert world.done == []
