"""Prompts that an Agent offers to clients of MCP."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import BY_NAME, TOOL_PATTERN, SpecModel, same

LONGEST_PROMPT = 8192
PromptName = Annotated[str, Field(min_length=1, max_length=40, pattern=TOOL_PATTERN)]


class PromptArgument(SpecModel):
    """What whoever picks a prompt fills in."""

    local = same("The local gateway offers the same.")

    name: PromptName
    """Name of the argument, unique within the list."""
    description: Annotated[str | None, Field(min_length=1, max_length=512)] = None
    """What to fill in, for people."""
    required: bool = False
    """Whether the prompt is of no use without it."""


class Prompt(SpecModel):
    """A message that clients offer to their users, to be sent to the model that they use."""

    local = same("The local gateway offers the same.")

    name: PromptName
    """Name of the prompt, unique within the list."""
    description: Annotated[str | None, Field(min_length=1, max_length=512)] = None
    """What it is for, as users read it."""
    arguments: Annotated[tuple[PromptArgument, ...], Field(max_length=10), BY_NAME] = ()
    """What is filled into the text."""
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_PROMPT)]
    """The message. `{topic}` in it stands for the argument `topic`."""
