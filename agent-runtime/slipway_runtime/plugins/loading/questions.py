"""What a plugin's tool asks agents before it has a result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from slipway_crds.fields import NAME_PATTERN

QUESTIONS_AT_ONCE = 8
ROUNDS = 4
"""How often one call of a tool may ask."""


class AgentQuestion(BaseModel):
    """A question for an agent of the plugin's namespace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: str = Field(min_length=1, max_length=63, pattern=NAME_PATTERN)
    question: str = Field(min_length=1, max_length=32_768)


@dataclass(frozen=True)
class AskedOfAgents:
    """In place of a result.

    Args:
        resume: goes on with the answers, in the order of the questions. Gives a result, or more questions.
    """

    asked: tuple[AgentQuestion, ...]
    resume: Callable[[Sequence[Mapping[str, Any]]], Any]
