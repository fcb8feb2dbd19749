"""How one revision takes over from another, by table, and from every mixture that a killed operator may leave."""

import itertools
from typing import Any

import pytest

from slipway_operator.agents.builders import State
from slipway_operator.agents.rollout import Live, Step, advance

NOW = 1000.0
DRAIN = 90.0


def live(name: str, state: State | None, *, available: bool = True, **more: Any) -> Live:
    return Live(name=name, state=state, available=available, created=more.pop("created", ord(name)), **more)


def step(current: str, *revisions: Live, now: float = NOW) -> Step:
    return advance(current, revisions, now=now, drain_timeout=DRAIN)


@pytest.mark.parametrize(
    ("why", "current", "revisions", "serving", "states", "removed"),
    [
        ("the first serves at once", "a", [live("a", None, available=False)], "a", {"a": "Serving"}, ()),
        ("one that serves goes on", "a", [live("a", "Serving")], "a", {"a": "Serving"}, ()),
        (
            "a new one waits until it is available",
            "b",
            [live("a", "Serving"), live("b", "Candidate", available=False)],
            "a",
            {"a": "Serving", "b": "Candidate"},
            (),
        ),
        (
            "then it takes over and the old one retires",
            "b",
            [live("a", "Serving"), live("b", "Candidate")],
            "b",
            {"b": "Serving", "a": "Retiring"},
            (),
        ),
        (
            "a newer spec cancels a candidate",
            "c",
            [live("a", "Serving"), live("b", "Candidate"), live("c", None, available=False)],
            "a",
            {"a": "Serving", "c": "Candidate"},
            ("b",),
        ),
        (
            "an old one that is not available serves until the new one is",
            "b",
            [live("a", "Serving", available=False), live("b", "Candidate", available=False)],
            "a",
            {"a": "Serving", "b": "Candidate"},
            (),
        ),
        (
            "going back to one that retires takes it over at once",
            "a",
            [live("a", "Retiring", retired_at=950.0), live("b", "Serving")],
            "a",
            {"a": "Serving", "b": "Retiring"},
            (),
        ),
        (
            "killed after promoting: two serve, the spec's goes on",
            "b",
            [live("a", "Serving"), live("b", "Serving")],
            "b",
            {"b": "Serving", "a": "Retiring"},
            (),
        ),
        (
            "killed after retiring: none serves, an available one is taken",
            "b",
            [live("a", "Retiring", retired_at=999.0), live("b", "Candidate", available=False)],
            "a",
            {"a": "Serving", "b": "Candidate"},
            (),
        ),
        (
            "drained, and gateways know",
            "b",
            [live("a", "Retiring", retired_at=NOW - DRAIN), live("b", "Serving")],
            "b",
            {"b": "Serving"},
            ("a",),
        ),
        (
            "drained, but the status still sends gateways there",
            "b",
            [live("a", "Retiring", retired_at=NOW - DRAIN, reported_serving=True), live("b", "Serving")],
            "b",
            {"b": "Serving", "a": "Retiring"},
            (),
        ),
    ],
)
def test_the_next_step(
    why: str, current: str, revisions: list[Live], serving: str, states: dict[str, State], removed: tuple[str, ...]
) -> None:
    taken = step(current, *revisions)
    assert (taken.serving, taken.states, taken.remove) == (serving, states, removed), why


def test_a_retiring_revision_is_looked_at_when_it_is_due() -> None:
    taken = step("b", live("a", "Retiring", retired_at=NOW - 30), live("b", "Serving"))
    assert taken.wake_after == pytest.approx(60)
    assert taken.retired_at == {"a": NOW - 30}, "the time that it stopped serving does not move"


def test_every_mixture_ends_with_the_spec_serving_alone() -> None:
    """Whatever an operator left behind: once all pods are available, the steps lead to the one revision of the spec."""
    states: tuple[State | None, ...] = ("Candidate", "Serving", "Retiring", None)
    for mixture in itertools.product(states, repeat=3):
        found = {name: live(name, state, reported_serving=True) for name, state in zip("abc", mixture, strict=True)}
        now = NOW
        for _ in range(6):
            taken = step("b", *found.values(), now=now)
            assert list(taken.states.values()).count("Serving") == 1, mixture
            found = {
                name: live(
                    name,
                    state,
                    retired_at=taken.retired_at.get(name),
                    reported_serving=state == "Serving",
                )
                for name, state in taken.states.items()
            }
            now += DRAIN
        assert taken.states == {"b": "Serving"}, mixture


def test_a_second_look_changes_nothing() -> None:
    taken = step("b", live("a", "Serving"), live("b", "Candidate"))
    again = step(
        "b", *(live(name, state, retired_at=taken.retired_at.get(name)) for name, state in taken.states.items())
    )
    assert (again.states, again.retired_at, again.remove) == (taken.states, taken.retired_at, ())
