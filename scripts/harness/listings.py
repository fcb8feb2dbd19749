"""The two lists kept by hand: account.yaml, what the account holds, and expressions.yaml, what Harness fills in.

Both are closed like the entities: a key that is not known here would be read by nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from scripts.harness.closed import Closed, Identifier, Text


class Owned(Closed):
    """Something that belongs to one environment, and that nothing of another one may use."""

    environment: Identifier
    what: Text


class Workspace(Closed):
    """An IaCM workspace, and the Terraform in this repository that it applies."""

    environment: Identifier
    folder: Text
    variables: Text


class Account(Closed):
    """account.yaml."""

    connectors: dict[Identifier, Text | Owned]
    secrets: dict[Identifier, Text | Owned]
    user_groups: dict[Identifier, Text]
    workspaces: dict[Identifier, Workspace]
    gitops_clusters: dict[Identifier, Owned]


class Group(Closed):
    """Expressions that one page of Harness's documentation names and that can stand in the same places."""

    where: Literal["run", "stage", "step", "behind a stage", "behind a step"]
    type: Text | None = None
    source: Text
    expressions: Annotated[dict[Text, Text], Field(min_length=1)]


class Listing(Closed):
    """expressions.yaml."""

    groups: list[Group]


@dataclass(frozen=True)
class Listed:
    """One of the listed expressions."""

    where: str
    """`run`: everywhere; `stage` and `step`: inside one; `behind a ...`: what follows the name of one that has run."""
    type: str | None
    """The type that the stage or step must have; None for any."""
    expression: str


def listed(document: Mapping[str, Any]) -> Iterator[Listed]:
    """The expressions in expressions.yaml, which must have the shape of a Listing."""
    for group in Listing.model_validate(document).groups:
        for expression in group.expressions:
            yield Listed(group.where, group.type, expression)


def environment(entry: Any) -> str | None:
    """The environment that an entry of account.yaml belongs to, if it belongs to one."""
    return entry.get("environment") if isinstance(entry, Mapping) else None
