"""Who may use an object through the gateway: what kinds have in common that callers reach."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import ATOMIC, BY_NAME, KEY_PATTERN, SpecModel, emulated

WITH_KEYS = emulated("Kept to with `--keys`. Without, the one user of the machine may do everything.")

Group = Annotated[str, Field(min_length=1, max_length=253)]
Groups = Annotated[list[Group], Field(min_length=1, max_length=16), ATOMIC]


class ToolAccess(SpecModel):
    """A tool that not everybody may use who may use the object."""

    local = WITH_KEYS

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=KEY_PATTERN)]
    """Name of the tool, unique within the list."""
    groups: Groups
    """Groups whose members may use the tool."""


class Access(SpecModel):
    """Who may use the object, by the groups of callers."""

    local = WITH_KEYS

    groups: Groups | None = None
    """Groups whose members may use it; every caller whom the gateway knows if not given. For others it does not
    exist."""
    tools: Annotated[tuple[ToolAccess, ...], Field(max_length=64), BY_NAME] = ()
    """Tools that only some of them may use. The others are for all of them."""
