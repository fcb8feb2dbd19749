"""Bodies of the HTTP interface of workflows."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class AboutRunBody(BaseModel):
    """Base of what is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StartBody(AboutRunBody):
    """Starts a run."""

    input: dict[str, Any] = Field(default_factory=dict)
    started_by: Literal["http", "mcp", "a2a", "cli"] = "http"


class RetryBody(AboutRunBody):
    """Does an ended run again, as a new one."""

    start: str | None = Field(default=None, alias="from")
    """The first step that is done again; the one that failed if not given."""


class DecisionBody(AboutRunBody):
    """Decides an approval."""

    approved: bool
    comment: str | None = Field(default=None, max_length=4096)


class SettleBody(AboutRunBody):
    """Says what came of a step that must not be repeated."""

    outcome: Literal["succeeded", "failed", "again"]
    """`again`: it did nothing, and is done once more."""
    output: Any = None
    index: int | None = Field(default=None, ge=0)
    """Of the element, for a step with `map`."""
    comment: str | None = Field(default=None, max_length=4096)


class EventBody(AboutRunBody):
    """An event that a run may wait for."""

    payload: Any = None
