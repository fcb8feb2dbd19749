"""The order of each step, and the way back, over a kubectl and a helm that write down what they are asked for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.errors import DevclusterError
from scripts.deploy import objects
from scripts.deploy.cluster import NEW, Caller, Cluster
from scripts.deploy.metrics import Sample
from scripts.deploy.objects import Strategy
from scripts.deploy.published import Published
from scripts.deploy.steps import Deployment
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube
from tests.deploy.conftest import DIGEST

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


@dataclass
class World:
    """What is in the cluster, and all that was done to it, in order."""

    done: list[str] = field(default_factory=list)
    installed: bool = True
    agents: int = 1
    breaks: str = ""
    """A word of the call that fails."""
    worse: bool = False

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

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        return [{}] * self.world.agents

    def run_helm(self, *arguments: str) -> str:
        if arguments[0] == "list":
            return json.dumps([{"revision": "7"}] if self.world.installed else [])
        self.world.tell("helm " + " ".join(arguments))
        return yaml.safe_dump(GATEWAY) if arguments[0] == "template" else ""


@dataclass(frozen=True)
class FakeCluster(Cluster):
    world: World = field(default_factory=World)

    def apply(self, manifest: Mapping[str, Any]) -> None:
        self.world.tell(f"apply {manifest['metadata']['name']}")

    def gateways(self, selector: str) -> list[str]:
        return ["new-1" if selector == NEW else "old-1"]

    def counted(self, selector: str) -> Mapping[str, Sample]:
        asked = float(self.world.done.count(f"ask {self.gateways(selector)[0]}"))
        return {"pod": Sample(asked, asked if self.world.worse and selector == NEW else 0, {1.0: asked})}

    def ask(self, pod: str, caller: Caller) -> None:
        self.world.tell(f"ask {pod}")


def deployment(published: Published, world: World, strategy: Strategy, waits: list[float] | None = None) -> Deployment:
    return Deployment(
        FakeCluster(FakeKube(("kubectl",), ("helm",), world), world=world),
        published,
        [Path("values.yaml")],
        strategy,
        Caller("key", "demo/handbook", "What?"),
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


def test_old_and_new_are_asked_as_often_over_the_whole_time(published: Published) -> None:
    world, waits = World(), list[float]()
    deployment(published, world, Strategy.CANARY, waits).compare()
    assert world.done.count("ask new-1") == world.done.count("ask old-1") == 60
    assert sum(waits) == pytest.approx(600)


def test_a_worse_gateway_ends_the_deployment(published: Published) -> None:
    with pytest.raises(DemoError, match=r"100\.0% of its answers are errors"):
        deployment(published, World(worse=True), Strategy.CANARY).compare()


def test_blue_green_switches_callers_and_replaces_the_idle_gateways_before_helm_leads_back(
    published: Published,
) -> None:
    world = World()
    made = deployment(published, world, Strategy.BLUE_GREEN)
    made.switch()
    assert "slipway-candidate" in world.done[-1]
    made.finish()
    order = ["patch service", f"apply {objects.GATEWAY}", "rollout status", "helm upgrade", "wait agents", "ask old-1"]
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
    assert in_order(world, ["helm upgrade", "--filename=agent.yaml", "wait agents", "ask old-1"])


@pytest.mark.parametrize("breaks", ["wait agents", "ask old-1"])
def test_a_release_whose_agents_do_not_come_back_or_that_does_not_answer_is_taken_back(
    published: Published, breaks: str
) -> None:
    world = World(breaks=breaks)
    with pytest.raises(DemoError, match="taken back to revision 7"):
        deployment(published, world, Strategy.ROLLING).finish()
    assert world.done[-1].startswith("helm rollback slipway 7")


def test_a_first_installation_that_fails_stays_to_be_looked_at(published: Published) -> None:
    world = World(installed=False, breaks="ask old-1")
    with pytest.raises(DevclusterError):
        deployment(published, world, Strategy.ROLLING).finish()
    assert not any("rollback" in each for each in world.done)


def test_without_agents_nobody_is_asked(published: Published) -> None:
    world = World(agents=0)
    deployment(published, world, Strategy.ROLLING).finish()
    assert not any(each.startswith("ask") for each in world.done)


def test_the_way_back_leads_callers_first(published: Published) -> None:
    world = World()
    deployment(published, world, Strategy.BLUE_GREEN).roll_back()
    patch, rollback, delete = world.done
    assert json.loads(patch.partition("--patch=")[2]) == objects.leads_to(objects.LIVE)
    assert rollback.startswith("helm rollback slipway 7")
    assert delete.startswith(f"delete deployment/{objects.CANDIDATE} --ignore-not-found")
