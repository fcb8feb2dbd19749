"""What there is to say of a kind that users write, for everything that treats all of them alike."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway_crds.meta import CustomObject
from slipway_crds.references import Objects, Ref
from slipway_crds.resolve import ResolveProblem


@dataclass(frozen=True, kw_only=True)
class Known:
    """What objects may refer to, as far as somebody knows it."""

    objects: Objects = field(default_factory=dict)
    """Objects of our kinds."""
    others: Collection[Ref] = ()
    """Of Kubernetes' own kinds those that are there."""


def _nothing(*_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True, kw_only=True)
class OwnerKind:
    """A kind that users write, and that owns what the operator makes of it."""

    model: type[CustomObject]
    label: str
    """On every child: the name of the object that it is for."""
    references: Callable[[Any], Iterable[Ref]] = _nothing
    """What an object refers to: a change there may change what has to be done for it."""
    missing: Callable[[Any, Known], Iterable[ResolveProblem]] = _nothing
    """What an object refers to in vain, and what is probably a mistake."""
    facts: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _: {}
    """What of an object's status those who refer to it decide by, besides whether it is Ready."""

    serves: bool = False
    """Whether its pods answer gateways, and so need the keys that gateways sign with."""
    shares: str = ""
    """Component, by its label, of what all objects of a namespace have together; empty if each has its own alone."""
    finalized: bool = False
    """Whether the operator puts a finalizer on an object, because something outside the cluster has to go with it."""

    @property
    def name(self) -> str:
        """As in a manifest's `kind`."""
        return self.model.__name__

    @property
    def plural(self) -> str:
        """As in a path of the API server."""
        return self.model.PLURAL
