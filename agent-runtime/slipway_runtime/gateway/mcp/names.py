"""Names on the federated server: `name__tool` within 64 characters, and none twice.

Objects have no underscores in their names, so the first `__` ends the prefix. A name that is cut ends in six digits
that are a hash of the whole.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

from slipway_runtime.gateway.mcp.sources import SourceKey

LONGEST = 64
MARK = "__"
HASH_DIGITS = 6
_ODD = re.compile("[^a-zA-Z0-9_-]")


def prefixes(known: Iterable[tuple[str, SourceKey]]) -> dict[SourceKey, str]:
    """The prefix of each source, the same for every caller.

    The oldest one of a name has the bare name; the others get their namespace in front.

    Args:
        known: every source with the time at which its object was made.
    """
    named: dict[str, SourceKey] = {}
    for _, key in sorted(known):
        longer = (f"{key.namespace}-{key.name}", f"{key.namespace}-{key.name}-{_digits(str(key))}")
        prefix = next(each for each in (key.name, *longer) if each not in named)
        named[prefix] = key
    return {key: prefix for prefix, key in named.items()}


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
    return f"{name[: LONGEST - HASH_DIGITS - 1]}-{_digits(of)}"


def _digits(text: str) -> str:
    return f"{int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 10**HASH_DIGITS:0{HASH_DIGITS}d}"
