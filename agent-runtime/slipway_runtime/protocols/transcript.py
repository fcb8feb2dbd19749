"""What a run has said so far: the one place that knows which text is void."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from slipway_runtime.events import (
    Decision,
    Delta,
    Discarded,
    Event,
    InputGiven,
    InputRequired,
    ModelUsage,
    Restarted,
    Started,
    Usage,
)


class Transcript:
    """Gathers the events of a run, in their order."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self.asked: InputRequired | None = None
        """What the run waits for."""
        self.decision: Decision | None = None
        """An orchestrator's last one: it names whoever answered."""
        self._said: list[tuple[str, str]] = []
        """Step and text of each piece of the answer that stands."""
        self._thought: list[tuple[str, str]] = []
        self._used: list[tuple[str, Usage]] = []

    def add(self, event: Event) -> None:
        """Take the next event."""
        match event:
            case Started():
                self.started = event
            case Decision() if "chosen_agent" in event.decision:
                self.decision = event
            case Delta(channel="answer"):
                self._said.append((event.step, event.text))
            case Delta():
                self._thought.append((event.step, event.text))
            case Usage():
                self._used.append((event.step, event))
            case InputRequired():
                self.asked = event
            case InputGiven():
                self.asked = None
            case Discarded():
                self._void(event.steps)
            case Restarted():
                self._void(event.discard)
                self._used = [(step, usage) for step, usage in self._used if step not in event.discard]
            case _:
                pass

    @property
    def text(self) -> str:
        """The answer's text as far as it stands."""
        return "".join(text for _, text in self._said)

    @property
    def reasoning(self) -> str:
        """How the agent came to it, as far as it shows that and it stands."""
        return "".join(text for _, text in self._thought)

    @property
    def usage(self) -> Mapping[str, Any] | None:
        """The sum of what the steps that stand have used; None if none said."""
        if not self._used:
            return None
        retrievals = [usage.retrieval for _, usage in self._used if usage.retrieval is not None]
        total: dict[str, Any] = {
            "retrieved_chunks": sum(each.chunks for each in retrievals),
            "embedded_texts": sum(each.embedded_texts for each in retrievals),
        }
        models = by_model(model for _, usage in self._used for model in usage.models or ())
        return {**total, "models": [model.to_json() for model in models]} if models else total

    def _void(self, steps: Iterable[str]) -> None:
        void = set(steps)
        self._said = [(step, text) for step, text in self._said if step not in void]
        self._thought = [(step, text) for step, text in self._thought if step not in void]


def by_model(used: Iterable[ModelUsage]) -> list[ModelUsage]:
    """The sum for each model, in the order of their first use. Its cost is unknown if that of one request is."""
    sums: dict[str, ModelUsage] = {}
    for each in used:
        known = sums.get(each.model)
        sums[each.model] = each if known is None else _sum(known, each)
    return list(sums.values())


def _sum(one: ModelUsage, other: ModelUsage) -> ModelUsage:
    cost = None if one.cost is None or other.cost is None else format(Decimal(one.cost) + Decimal(other.cost), "f")
    return ModelUsage(
        model=one.model,
        requests=one.requests + other.requests,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cost=cost,
    )
