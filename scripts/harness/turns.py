"""When stages and steps have their turn, and what a path in them leads to.

Harness runs stages and steps in the order of their lists, and those under one `parallel` at the same time. An
expression has a value only for what has run before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scripts.harness.folder import Json
from scripts.harness.templates import label

Turn = tuple[int, ...]


@dataclass(frozen=True)
class Placed:
    """A stage or a step."""

    node: Mapping[str, Json]
    turn: Turn
    """Compares with those of the same list; equal for what runs at the same time."""

    @property
    def identifier(self) -> str:
        return str(self.node.get("identifier"))


def stages(pipeline: Json) -> dict[str, Placed]:
    """A pipeline's stages by identifier."""
    return {placed.identifier: placed for placed in _placed(pipeline.get("stages"), "stage", ())}


def steps(stage: Mapping[str, Json], branch: str) -> dict[str, Placed]:
    """The steps of one of a stage's branches by identifier. Those of `rollbackSteps` have their turn behind `steps`."""
    first = 0 if branch == "steps" else 1
    return {each.identifier: each for each in _placed(value(stage, f"spec.execution.{branch}"), "step", (first,))}


def turn(stage: Mapping[str, Json], step: Mapping[str, Json]) -> Turn | None:
    """A step's turn in its stage."""
    both = [placed for branch in ("steps", "rollbackSteps") for placed in steps(stage, branch).values()]
    return next((placed.turn for placed in both if placed.node is step), None)


def _placed(entries: Json, wrapper: str, turn: Turn) -> Iterator[Placed]:
    for place, entry in enumerate(entries if isinstance(entries, list) else []):
        together = entry.get("parallel") if isinstance(entry, Mapping) else None
        for part in together if isinstance(together, list) else [entry]:
            node = part.get(wrapper) if isinstance(part, Mapping) else None
            if isinstance(node, Mapping):
                yield Placed(node, (*turn, place))


def value(node: Json, path: str) -> Json:
    """What a path like `variables.release` leads to in a tree; None if it leads to nothing.

    An element of a list is named by its label, and a variable stands for its value.
    """
    for word in path.split("."):
        if isinstance(node, Mapping):
            node = node.get(word)
        elif isinstance(node, list):
            node = next((part for place, part in enumerate(node) if str(label(part, place)) == word), None)
            node = node.get("value") if isinstance(node, Mapping) and "name" in node else node
        else:
            return None
    return node
