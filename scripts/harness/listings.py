"""The two lists kept by hand: account.yaml, what the account holds, and expressions.yaml, what Harness fills in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.harness.problems import Path

ACCOUNT = ("connectors", "secrets", "userGroups", "workspaces", "gitopsClusters")
ENTRY = ("environment", "what", "folder", "variables")
GROUP = ("where", "type", "source", "expressions")
WHERE = ("run", "stage", "step", "behind a stage", "behind a step")


@dataclass(frozen=True)
class Listed:
    """One of the listed expressions, and where it has a value: expressions.yaml explains that."""

    where: str
    type: str | None
    expression: str


def account_complaints(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Where account.yaml has another form than it should; nothing if it has not."""
    yield from _strange(document, ACCOUNT, ())
    for sort, entries in document.items():
        for name, entry in entries.items():
            yield from _strange(entry if isinstance(entry, dict) else {}, ENTRY, (sort, name))


def listing_complaints(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The same of expressions.yaml."""
    for place, group in enumerate(document.get("groups") or []):
        yield from _strange(group, GROUP, ("groups", place))
        if group.get("where") not in WHERE:
            yield ("groups", place, "where"), f"write one of {', '.join(WHERE)}"


def listed(document: Mapping[str, Any]) -> Iterator[Listed]:
    """The expressions in expressions.yaml, which must have its form."""
    for group in document["groups"]:
        yield from (Listed(group["where"], group.get("type"), expression) for expression in group["expressions"])


def _strange(node: Mapping[str, Any], known: tuple[str, ...], path: Path) -> Iterator[tuple[Path, str]]:
    for key in node.keys() - set(known):
        yield (*path, key), f"unknown key {key!r}; known here: {', '.join(known)}"
