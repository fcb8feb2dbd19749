"""A run as a terminal shows it while it goes on: its steps with their states, and what people are asked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from slipway_runtime.workflows.graph import GraphNode, drawing

Json = Mapping[str, Any]


class RunProgress:
    """Gathers the events of a run in their order.

    Args:
        nodes: the steps, without states.
    """

    def __init__(self, nodes: Sequence[GraphNode], *, title: str) -> None:
        self._nodes = {each.name: each for each in nodes}
        self._title = title
        self._elements: dict[str, int] = {}
        """How many elements of a step have ended."""
        self._asked: dict[str, Json] = {}
        self.state = "queued"
        self.end: Json = {}
        """The last event, once it has come."""

    def take(self, event: Json) -> str:
        """Take an event, and return a line that tells of it; empty for what needs none."""
        kind, step = str(event.get("type")), str(event.get("step") or "")
        if kind in ("done", "failed", "cancelled"):
            self.state, self.end = kind, event
            return kind
        if not step:
            return kind if kind != "queued" else ""
        if event.get("index") is not None:
            self._elements[step] = self._elements.get(step, 0) + (kind == "step_ended")
            return ""
        state = _state(kind, event)
        if state:
            self._nodes[step] = GraphNode(step, self._does(step), self._needs(step), state)
        if kind == "input_required":
            self._asked[step] = event
        elif kind != "step_started":
            self._asked.pop(step, None)
        return f"{step}: {_worded(kind, event)}"

    def _does(self, step: str) -> str:
        return self._nodes[step].does if step in self._nodes else ""

    def _needs(self, step: str) -> tuple[str, ...]:
        return self._nodes[step].needs if step in self._nodes else ()

    def nodes(self) -> list[GraphNode]:
        """The steps as they are now, with how many elements have ended."""
        counted = (
            (each, f"{each.does} ({self._elements[each.name]} done)" if self._elements.get(each.name) else each.does)
            for each in self._nodes.values()
        )
        return [GraphNode(each.name, does, each.needs, each.state) for each, does in counted]

    def shown(self) -> RenderableType:
        """The picture."""
        parts: list[RenderableType] = [drawing(self.nodes(), title=f"{self._title}  {self.state}")]
        parts += [Text(asked(step, event), style="yellow") for step, event in self._asked.items()]
        return Group(*parts)


def _state(kind: str, event: Json) -> str:
    states = {
        "step_started": "running",
        "step_retrying": "retrying",
        "input_required": "waiting",
        "needs_attention": "needs_attention",
    }
    return str(event.get("state") or "") if kind == "step_ended" else states.get(kind, "")


def _worded(kind: str, event: Json) -> str:
    if kind == "step_started":
        agent = f" by {event['agent']}" if event.get("agent") else ""
        return f"started{agent}"
    if kind == "input_required":
        return asked("", event).removeprefix(": ")
    about = " ".join(str(event[key]) for key in ("reason", "message") if event.get(key))
    return f"{_state(kind, event) or kind} {about}".strip()


def asked(step: str, event: Json) -> str:
    """What a run waits for: who decides, what, and until when."""
    until = f", until {when(event['until'])}" if event.get("until") else ""
    if event.get("kind") == "approval":
        groups = ", ".join(event.get("groups") or ()) or "whoever started the run"
        return f"{step}: approval by {groups}{until}: {event.get('asks', '')}"
    return f"{step}: {event.get('kind', 'input')} {event.get('event', '')}{until}"


def when(seconds: Any) -> str:
    """A time in this machine's time zone."""
    return datetime.fromtimestamp(float(seconds)).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
