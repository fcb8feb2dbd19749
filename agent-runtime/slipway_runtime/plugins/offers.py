"""Resources and prompts that a server lists, as far as clients can read them: one that they cannot costs the whole
list."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from pydantic import BaseModel, ValidationError

MOST_OFFERS = 1000
"""Of each sort."""
MOST_CHARACTERS = 2048
"""Of a name or an address."""


@dataclass(frozen=True)
class Offers:
    """Each as the server lists it, under its own names."""

    resources: tuple[Mapping[str, Any], ...] = ()
    templates: tuple[Mapping[str, Any], ...] = ()
    prompts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class OfferPart:
    """One of these lists.

    Args:
        field: of `Offers`.
        key: of the result.
        member: of the SDK's model of the result.
        by: key of an entry that names it.
    """

    field: str
    capability: str
    method: str
    key: str
    member: str
    by: str

    def readable(self, listed: Iterable[object]) -> tuple[Mapping[str, Any], ...]:
        """The first thousand that clients of both eras can read, each name once."""
        found: dict[str, Mapping[str, Any]] = {}
        for each in listed:
            name = each.get(self.by) if isinstance(each, Mapping) else None
            if (
                isinstance(name, str)
                and 0 < len(name) <= MOST_CHARACTERS
                and self._fits(each)
                and isinstance(each, Mapping)
            ):
                found.setdefault(name, each)
            if len(found) >= MOST_OFFERS:
                break
        return tuple(found.values())

    def _fits(self, entry: object) -> bool:
        try:
            for model in _models(self.method, self.member):
                model.model_validate(entry, by_name=False)
        except ValidationError:
            return False
        return True


PARTS = (
    OfferPart("resources", "resources", "resources/list", "resources", "resources", "uri"),
    OfferPart(
        "templates", "resources", "resources/templates/list", "resourceTemplates", "resource_templates", "uriTemplate"
    ),
    OfferPart("prompts", "prompts", "prompts/list", "prompts", "prompts", "name"),
)


@cache
def _models(method: str, member: str) -> tuple[type[BaseModel], ...]:
    """What clients of the two eras read an entry as."""
    from mcp_types.methods import SERVER_RESULTS  # the models of all messages: for gateways that list something

    results = (SERVER_RESULTS[method, version] for version in (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION))
    return tuple(get_args(each.model_fields[member].annotation)[0] for each in results)  # type: ignore[union-attr]
