"""Names of tools behind a prefix: `name__tool` within 64 characters, and none twice.

Clients and model providers take no longer ones. A name that is cut, or would be another one's, ends in six digits that
are a hash of the whole.
"""

import re
from collections.abc import Sequence

from slipway_crds.mcp_names import HASH_DIGITS, digits

LONGEST = 64
MARK = "__"
_ODD = re.compile("[^a-zA-Z0-9_-]")


class Names:
    """The names of one source's tools, inside and outside.

    Args:
        inner: as the source has them. What clients do not take in a name becomes `_`.
    """

    def __init__(self, prefix: str, inner: Sequence[str]) -> None:
        self._outer: dict[str, str] = {}
        self._inner: dict[str, str] = {}
        for name in inner:
            outer = fitted(f"{prefix}{MARK}{_ODD.sub('_', name)}", of=f"{prefix}{MARK}{name}")
            if outer in self._inner:
                outer = _cut(outer, of=f"{prefix}{MARK}{name}")
            self._outer[name] = outer
            self._inner.setdefault(outer, name)

    def outer(self, name: str) -> str:
        """What clients call it."""
        return self._outer[name]

    def inner(self, name: str) -> str | None:
        """What the source calls it; None for what it does not have."""
        return self._inner.get(name)


def fitted(name: str, *, of: str) -> str:
    """A name that is short enough: as it is, or cut.

    Args:
        of: the whole name, of which the digits are a hash.
    """
    return name if len(name) <= LONGEST else _cut(name, of=of)


def _cut(name: str, *, of: str) -> str:
    return f"{name[: LONGEST - HASH_DIGITS - 1]}-{digits(of)}"
