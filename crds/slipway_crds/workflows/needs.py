"""What a Workflow's steps need of each other: the order that follows, and the cycles that allow none."""

from collections.abc import Mapping, Sequence

from slipway_crds.workflows.model import WorkflowStep


def cycle(steps: Sequence[WorkflowStep]) -> tuple[str, ...]:
    """Steps that need each other in a circle, the first one again at the end; nothing where there is none."""
    left = {step.name: set(step.needs) for step in steps}
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    if not left:
        return ()
    way = [min(left)]
    while (following := min(left[way[-1]] & left.keys())) not in way:
        way.append(following)
    return (*way[way.index(following) :], following)


def before(steps: Sequence[WorkflowStep]) -> Mapping[str, frozenset[str]]:
    """By step: all that have ended before it begins. There must be no cycle."""
    needs = {step.name: step.needs for step in steps}
    found: dict[str, frozenset[str]] = {}

    def of(name: str) -> frozenset[str]:
        if name not in found:
            found[name] = frozenset(needs[name]).union(*(of(each) for each in needs[name]))
        return found[name]

    return {name: of(name) for name in needs}
