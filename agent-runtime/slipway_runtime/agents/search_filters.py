"""What narrows a search, whoever asks for it: a model, an MCP client, or a workflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from slipway_crds.runtimeconfig import KnowledgeConfig
from slipway_runtime.knowledge.retrieval.filter_json import InvalidFilter, read_filter
from slipway_runtime.knowledge.vectors.filters import AllOf, Compare, Filter
from slipway_runtime.problems import Problem, Reason


@dataclass(frozen=True)
class Filters:
    """Which documents are searched; None for all."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    index: str | None = None
    source: str | None = None
    document: str | None = None
    where: dict[str, Any] | None = None
    """What their metadata has to be (`knowledge/retrieval/filter_json.py`)."""

    def entries(self, knowledge: Sequence[KnowledgeConfig]) -> Sequence[KnowledgeConfig]:
        """The entries of an agent's knowledge that are searched.

        Raises:
            Problem: `InvalidRequest` for an unknown index.
        """
        kept = [each for each in knowledge if self.index in (None, each.name, each.index)]
        if not kept:
            names = ", ".join(each.name for each in knowledge)
            raise Problem(Reason.INVALID_REQUEST, f"filters.index: this agent has {names}.")
        return kept

    def condition(self) -> Filter | None:
        """What the chunks that are searched have to be.

        Raises:
            Problem: `InvalidRequest` for a `where` that is no filter.
        """
        parts: list[Filter] = [
            Compare(field, "eq", value)
            for field, value in (("source", self.source), ("document", self.document))
            if value is not None
        ]
        if self.where is not None:
            try:
                parts.append(read_filter(self.where, "filters.where"))
            except InvalidFilter as error:
                raise Problem(Reason.INVALID_REQUEST, f"{error}.") from error
        return AllOf(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None
