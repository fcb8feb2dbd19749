"""On somebody's own cluster only what the demo made may be touched."""

from typing import Any

import pytest

from devcluster.errors import DevclusterError
from slipway_demo import chart, demo
from slipway_demo.errors import DemoError
from slipway_demo.kube import Kube
from slipway_demo.ownership import Inventory, elsewhere, found, refusal

KINDS = ("agents.slipway.dev", "vectorindexes.slipway.dev")
OURS = Inventory(ours=("demo", "slipway-system"), strangers=(), kinds=KINDS)
EMPTY = Inventory(ours=(), strangers=(), kinds=())


def _foreign(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}  # kubectl leaves labels out where there are none


def _definition(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"group": name.partition(".")[2]}}


def _agent(namespace: str) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": namespace}}


def test_namespaces_are_told_apart_by_the_label_that_up_sets() -> None:
    namespaces = [chart.namespace("demo"), _foreign("slipway-system"), _foreign("default"), chart.namespace("other")]
    definitions = [_definition(name) for name in (*reversed(KINDS), "agents.example.com", "things.notslipway.dev")]
    assert found(namespaces, definitions) == Inventory(ours=("demo",), strangers=("slipway-system",), kinds=KINDS)


@pytest.mark.parametrize(
    "there",
    [
        EMPTY,
        OURS,
        Inventory(ours=("slipway-system",), strangers=(), kinds=()),
        Inventory(ours=("slipway-system",), strangers=(), kinds=KINDS),
    ],
    ids=["nothing there", "again", "stopped before the kinds", "stopped before the handbook"],
)
def test_up_goes_on_where_only_its_own_things_are(there: Inventory) -> None:
    assert refusal(there) is None


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (Inventory(ours=(), strangers=("demo",), kinds=()), "the namespace demo already"),
        (Inventory(ours=("demo",), strangers=("slipway-system",), kinds=KINDS), "the namespace slipway-system already"),
        (Inventory(ours=(), strangers=(), kinds=KINDS), "kubectl delete customresourcedefinition agents.slipway.dev"),
        (Inventory(ours=("demo",), strangers=(), kinds=KINDS), "Slipway's kinds are in this cluster already"),
    ],
    ids=["their demo", "their release", "their kinds", "kinds without our release"],
)
def test_up_refuses_what_was_there_before(there: Inventory, words: str) -> None:
    assert words in (refusal(there) or "")


@pytest.mark.parametrize(
    ("there", "namespaces", "others"),
    [
        (OURS, [], None),
        (OURS, ["demo", "demo"], None),
        (OURS, ["demo", "team-b", "team-a"], "team-a, team-b"),
        (Inventory(ours=("slipway-system",), strangers=("demo",), kinds=KINDS), ["demo"], "in demo;"),
    ],
    ids=["none", "ours only", "others'", "in a namespace demo of others"],
)
def test_kinds_stay_while_others_need_them(there: Inventory, namespaces: list[str], others: str | None) -> None:
    reason = elsewhere([_agent(name) for name in namespaces], there)
    assert (reason is None) if others is None else (reason is not None and others in reason)


class Recorded(Kube):
    """A cluster that answers lists from a table and records what would change it."""

    def __init__(self, lists: dict[str, list[dict[str, Any]]]) -> None:
        super().__init__((), ())
        object.__setattr__(self, "lists", lists)
        object.__setattr__(self, "changes", [])

    lists: dict[str, list[dict[str, Any]]]
    changes: list[tuple[str, ...]]

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        if arguments[0] not in self.lists:
            raise DevclusterError(f"forbidden: {arguments[0]}")
        return self.lists[arguments[0]]

    def run(self, *arguments: str) -> str:
        self.changes.append(arguments[:3])
        return ""

    run_helm = run


BOTH = [chart.namespace("demo"), chart.namespace("slipway-system")]
DEFINITIONS = [_definition(name) for name in KINDS]
AGENTS = ",".join(KINDS)


class Theirs:
    """A cluster of the user's; only what `up` and `down` ask before they change anything."""

    owned = False

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kube(self) -> Kube:
        return self._kube


def _down(kube: Kube) -> None:
    demo.down(Theirs(kube))  # type: ignore[arg-type]


def test_down_removes_what_up_made() -> None:
    kube = Recorded({"namespaces": BOTH, "customresourcedefinitions": DEFINITIONS, AGENTS: [_agent("demo")]})
    _down(kube)
    assert kube.changes == [
        ("delete", AGENTS, "--all"),
        ("uninstall", "slipway", "--namespace=slipway-system"),
        ("delete", "namespace", "demo"),
        ("delete", "customresourcedefinition", "agents.slipway.dev"),
    ]


def test_down_leaves_a_release_of_others_and_its_kinds_alone() -> None:
    namespaces = [chart.namespace("demo"), _foreign("slipway-system")]
    kube = Recorded({"namespaces": namespaces, "customresourcedefinitions": DEFINITIONS})
    _down(kube)
    assert [change[:2] for change in kube.changes] == [("delete", AGENTS), ("delete", "namespace")]
    assert kube.changes[1] == ("delete", "namespace", "demo")


def test_down_does_nothing_where_nothing_is_the_demos() -> None:
    namespaces = [_foreign("demo"), _foreign("slipway-system")]
    kube = Recorded({"namespaces": namespaces, "customresourcedefinitions": DEFINITIONS})
    _down(kube)
    assert kube.changes == []


@pytest.mark.parametrize(
    ("lists", "error"),
    [
        ({}, DevclusterError),
        ({"namespaces": BOTH}, DevclusterError),
        ({"namespaces": BOTH, "customresourcedefinitions": DEFINITIONS}, DevclusterError),
        ({"namespaces": BOTH, "customresourcedefinitions": DEFINITIONS, AGENTS: [_agent("team")]}, DemoError),
    ],
    ids=["no namespaces", "no definitions", "no agents", "agents of others"],
)
def test_down_touches_nothing_unless_it_knows_that_nobody_is_hurt(
    lists: dict[str, list[dict[str, Any]]], error: type[Exception]
) -> None:
    kube = Recorded(lists)
    with pytest.raises(error):
        _down(kube)
    assert kube.changes == []


def test_up_refuses_before_it_builds_or_writes_anything() -> None:
    kube = Recorded({"namespaces": [_foreign("slipway-system")], "customresourcedefinitions": DEFINITIONS})
    with pytest.raises(DemoError, match="the namespace slipway-system already"):
        demo.prepare(Theirs(kube), {})  # type: ignore[arg-type]
    assert kube.changes == []
