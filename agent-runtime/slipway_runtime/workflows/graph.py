"""The steps of a workflow as a picture: Mermaid for pages, lines for a terminal, with the states of a run."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from slipway_crds.workflows.model import MapOver, WorkflowSpec, WorkflowStep

COLOURS: Mapping[str, tuple[str, str]] = {
    "succeeded": ("green", "#c8e6c9"),
    "running": ("cyan", "#bbdefb"),
    "waiting": ("yellow", "#fff9c4"),
    "failed": ("red", "#ffcdd2"),
    "retrying": ("yellow", "#ffe0b2"),
    "needs_attention": ("magenta", "#e1bee7"),
    "skipped": ("dim", "#eeeeee"),
}
"""Of a state in a terminal, and behind it on a page. A step that has not begun has none."""
MARKS: Mapping[str, str] = {
    "succeeded": "+",
    "running": ">",
    "waiting": "?",
    "failed": "x",
    "retrying": ">",
    "needs_attention": "!",
    "skipped": "-",
}
PENDING_MARK = "."


@dataclass(frozen=True)
class GraphNode:
    """A step in a picture.

    Args:
        name: of the step.
        does: what it does, in a few words.
        needs: names of the steps before it.
        state: of the step in a run, in small letters; empty without a run.
    """

    name: str
    does: str
    needs: tuple[str, ...] = ()
    state: str = ""


def nodes_of(spec: WorkflowSpec, states: Mapping[str, str] | None = None) -> list[GraphNode]:
    """The steps of a workflow.

    Args:
        states: of a run's steps, by name; None without a run.
    """
    return [
        GraphNode(each.name, _does(each), tuple(each.needs), (states or {}).get(each.name, "")) for each in spec.steps
    ]


def _does(step: WorkflowStep) -> str:
    """What a step does, in a few words."""
    if step.map is not None:
        return f"for each: {_calls(step.map)}"
    if step.approval is not None:
        groups = step.approval.groups
        return f"approval by {', '.join(groups)}" if groups else "approval"
    if step.wait is not None:
        return f"waits for {step.wait.event or step.wait.duration}"
    return _calls(step)


def _calls(called: WorkflowStep | MapOver) -> str:
    if called.search is not None:
        return f"searches {called.search.index_ref.name}"
    agent = called.agent_ref.name if called.agent_ref else f"agent with {', '.join(called.requires or ())}"
    return f"{agent}: {called.tool or 'ask'}"


def mermaid(nodes: Sequence[GraphNode]) -> str:
    """A flowchart that GitHub, GitLab and most wikis draw.

    >>> print(mermaid([GraphNode("a", "asks helper"), GraphNode("b", "approval", ("a",), "waiting")]))
    flowchart TD
        a["a<br/>asks helper"]
        b["b<br/>approval<br/>waiting"]
        a --> b
        classDef waiting fill:#fff9c4
        class b waiting
    """
    lines = ["flowchart TD"]
    lines += [f'    {_id(each.name)}["{"<br/>".join(_labels(each))}"]' for each in nodes]
    lines += [f"    {_id(before)} --> {_id(each.name)}" for each in nodes for before in each.needs]
    for state, (_, fill) in COLOURS.items():
        if named := [_id(each.name) for each in nodes if each.state == state]:
            lines += [f"    classDef {state} fill:{fill}", f"    class {','.join(named)} {state}"]
    return "\n".join(lines)


def _labels(node: GraphNode) -> Iterator[str]:
    for text in (node.name, node.does, node.state):
        if text:
            yield re.sub(r"[^\w .,:;/()+-]", lambda found: f"#{ord(found[0])};", text)


def _id(name: str) -> str:
    """Names of steps that Mermaid reads as its own words, such as `end`, would break the picture."""
    return f"{name}_" if name in ("end", "graph", "subgraph", "class", "style", "click", "default") else name


def drawing(nodes: Sequence[GraphNode], *, title: str) -> Tree:
    """The steps in a terminal, each below the last of the steps that it needs."""
    tree = Tree(Text(title, style="bold"), guide_style="dim")
    drawn: dict[str, Tree] = {}
    for node in ordered(nodes):
        parent = drawn[node.needs[-1]] if node.needs and node.needs[-1] in drawn else tree
        drawn[node.name] = parent.add(line(node))
    return tree


def line(node: GraphNode) -> Text:
    """A step on a line: its mark, its name, what it does, and its state."""
    colour = COLOURS.get(node.state, ("", ""))[0]
    others = node.needs[:-1]
    parts = [
        (f"{MARKS.get(node.state, PENDING_MARK)} {node.name}", f"bold {colour}".strip()),
        (f"  {node.does}", "dim"),
        (f"  (also after {', '.join(others)})" if others else "", "dim"),
        (f"  {node.state}" if node.state else "", colour),
    ]
    return Text.assemble(*(part for part in parts if part[0]))


def ordered(nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """The steps with each after those that it needs, otherwise as they are given, also those of a circle."""
    left, done, found = list(nodes), set[str](), list[GraphNode]()
    names = {each.name for each in nodes}
    while left:
        ready = next((each for each in left if names.intersection(each.needs) <= done), left[0])
        left.remove(ready)
        done.add(ready.name)
        found.append(ready)
    return found
