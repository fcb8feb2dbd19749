"""What the names of each object's tools begin with on the federated MCP server: given once, and kept in its status.

One process gives them, so two objects never get the same one. What is written counts for whoever leads next.
"""

from dataclasses import replace

from slipway_crds.mcp_names import STATUS_FIELD, choose
from slipway_crds.registry import OWNER_KINDS
from slipway_operator.core.cache import Cache, Resource, ResourceKey
from slipway_operator.core.plan import Plan


class McpNames:
    """Of everything that serves."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._names: dict[ResourceKey, tuple[str, str]] = {}
        """UID and name of each object."""
        self._holders: dict[str, ResourceKey] = {}
        self._filled = False

    def named(self, resource: Resource, plan: Plan) -> Plan:
        """The plan with a status that has the name."""
        return replace(plan, status={**plan.status, STATUS_FIELD: self.of(resource)})

    def of(self, resource: Resource) -> str:
        """The object's name, given now if it has none. The first call gives all that are needed, the oldest object's
        first."""
        if not self._filled:
            self._filled = True
            self._fill()
        known = self._names.get(resource.key)
        if known is not None and known[0] == resource.uid:
            return known[1]
        return self._keep(resource) or self._give(resource)

    def _fill(self) -> None:
        keys = [key for key in tuple(self._cache.keys()) if OWNER_KINDS[key.kind].serves]
        resources = [found for key in keys if (found := self._cache.resource(key)) is not None]
        ordered = sorted(resources, key=lambda each: (each.created, each.key))
        for each in [each for each in ordered if not self._keep(each)]:
            self._give(each)

    def _keep(self, resource: Resource) -> str:
        """The name in its status; empty if there is none, or it is another object's."""
        name = str(resource.status.get(STATUS_FIELD) or "")
        return self._take(name, resource) if name and name not in self else ""

    def _give(self, resource: Resource) -> str:
        key = resource.key
        return self._take(choose(OWNER_KINDS[key.kind].plural, key.namespace, key.name, self), resource)

    def _take(self, name: str, resource: Resource) -> str:
        self._names[resource.key] = resource.uid, name
        self._holders[name] = resource.key
        return name

    def __contains__(self, name: object) -> bool:
        """Whether an object that is still there has it."""
        key = self._holders.get(str(name))
        if key is None:
            return False
        holder = self._cache.resource(key)
        return holder is not None and self._names.get(key) == (holder.uid, name)
