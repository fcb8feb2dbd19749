"""What the names of an object's tools begin with on the federated MCP server, `/mcp`.

The oldest object of a name has the bare name; others get their namespace in front. A name that was given once stays as
long as the object lives: the operator writes it into the object's status.
"""

import hashlib
from itertools import chain, count
from typing import Protocol

STATUS_FIELD = "mcpName"
"""Of the status of Agents and Plugins."""
HASH_DIGITS = 6


class Taken(Protocol):
    """Names that are not free."""

    def __contains__(self, name: object, /) -> bool: ...


def choose(plural: str, namespace: str, name: str, taken: Taken) -> str:
    """The first name that is free.

    Args:
        plural: of the object's kind, like `agents`.
    """
    longer = f"{namespace}-{name}"
    key = f"{plural}/{namespace}/{name}"
    numbered = (f"{longer}-{digits(key if not number else f'{key}/{number}')}" for number in count())
    return next(each for each in chain((name, longer), numbered) if each not in taken)


def digits(text: str) -> str:
    """A short hash."""
    return f"{int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 10**HASH_DIGITS:0{HASH_DIGITS}d}"
