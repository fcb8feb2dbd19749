"""Prefixes on the federated server. Objects have no underscores in their names, so the first `__` ends the prefix."""

from collections.abc import Iterable

from slipway_runtime.gateway.mcp.sources import SourceKey
from slipway_runtime.tool_names import digits


def prefixes(known: Iterable[tuple[str, SourceKey]]) -> dict[SourceKey, str]:
    """The prefix of each source, the same for every caller.

    The oldest one of a name has the bare name; the others get their namespace in front.

    Args:
        known: every source with the time at which its object was made.
    """
    named: dict[str, SourceKey] = {}
    for _, key in sorted(known):
        longer = (f"{key.namespace}-{key.name}", f"{key.namespace}-{key.name}-{digits(str(key))}")
        prefix = next(each for each in (key.name, *longer) if each not in named)
        named[prefix] = key
    return {key: prefix for prefix, key in named.items()}
