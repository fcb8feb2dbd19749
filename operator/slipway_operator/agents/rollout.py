"""How one revision of an agent takes over from another: a pure state machine over what is on the API server.

The first revision serves at once: there is nothing to protect. Every later one is a Candidate until all its pods are
available, and then takes over; the old one is Retiring for the drain timeout, so that gateways that have not heard yet
and answers under way are not cut off, and then goes. A newer spec cancels a Candidate. A Candidate that never becomes
available changes nothing: the old revision keeps serving.

The state of each revision is kept on its Deployment. An operator that dies between two writes leaves a mixture, which
the same rules lead to the same end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway_operator.agents.builders import State


@dataclass(frozen=True, kw_only=True)
class Live:
    """A revision that has a Deployment, or the current one, which may not have one yet.

    `available` means: every pod that it should have is ready. `created` and `retired_at` are epoch seconds.
    `reported_serving` is what the Agent's status says, which is what gateways route by.
    """

    name: str
    state: State | None
    available: bool
    created: float
    retired_at: float | None = None
    reported_serving: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the rollout wants now."""

    serving: str
    states: dict[str, State]
    """The state of each revision that stays."""
    retired_at: dict[str, float]
    """When each Retiring one stopped serving."""
    remove: tuple[str, ...]
    """Revisions whose objects are to be deleted."""
    wake_after: float | None
    """Seconds until the next retired revision is due."""


def advance(current: str, revisions: Sequence[Live], *, now: float, drain_timeout: float) -> Step:
    """The next step. `current` is the revision of the spec and is among `revisions`."""
    by_name = {revision.name: revision for revision in revisions}
    serving = _serving(by_name[current], revisions)
    states: dict[str, State] = {serving: "Serving"}
    if current != serving:
        states[current] = "Candidate"
    retired_at: dict[str, float] = {}
    remove: list[str] = []
    for revision in revisions:
        if revision.name in states:
            continue
        since = now if revision.state == "Serving" or revision.retired_at is None else revision.retired_at
        cancelled = revision.state == "Candidate"
        drained = now >= since + drain_timeout
        if not revision.reported_serving and (cancelled or drained):
            remove.append(revision.name)
        else:
            states[revision.name] = "Retiring"
            retired_at[revision.name] = since
    due = [since + drain_timeout - now for since in retired_at.values()]
    return Step(
        serving=serving,
        states=states,
        retired_at=retired_at,
        remove=tuple(sorted(remove)),
        wake_after=max(1.0, min(due)) if due else None,
    )


def _serving(current: Live, revisions: Sequence[Live]) -> str:
    """Which revision new questions go to."""
    serving = [revision for revision in revisions if revision.state == "Serving"]
    if current.available or current in serving:
        return current.name
    if serving:
        return max(serving, key=lambda revision: (revision.created, revision.name)).name
    # Killed between retiring one revision and promoting the other, or the serving one's objects were deleted.
    able = [revision for revision in revisions if revision.available]
    return max(able, key=lambda revision: (revision.created, revision.name)).name if able else current.name
