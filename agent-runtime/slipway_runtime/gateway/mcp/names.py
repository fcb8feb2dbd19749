"""Prefixes on the federated server. Objects have no underscores in their names, so the first `__` ends the prefix."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from slipway_crds.mcp_names import choose
from slipway_runtime.gateway.mcp.sources import KnownSource, SourceKey


@dataclass
class Prefixes:
    """The prefix of each source, the same for every caller.

    What an object's status says counts, so that all gateways agree. Where it says nothing, as in the local driver, the
    oldest one of a name has the bare name, and each keeps what it was given here as long as it is known.
    """

    _kept: dict[SourceKey, str] = field(default_factory=dict)

    def of(self, known: Iterable[KnownSource]) -> Mapping[SourceKey, str]:
        """The prefixes of all that there is."""
        sources = sorted(known, key=lambda each: (each.created, each.key))
        named: dict[str, SourceKey] = {}
        for each in sources:
            if each.given:
                named.setdefault(each.given, each.key)
        self._kept = {each.key: self._kept[each.key] for each in sources if each.key in self._kept}
        done = set(named.values())
        for each in sources:
            if each.key not in done and (kept := self._kept.get(each.key)) is not None:
                named.setdefault(kept, each.key)
        done = set(named.values())
        for each in sources:
            if each.key not in done:
                named[choose(*each.key, named)] = each.key
        found = {key: prefix for prefix, key in named.items()}
        self._kept = dict(found)
        return found
