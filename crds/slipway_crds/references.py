"""What an object may refer to: a name in a namespace, of a kind."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from slipway_crds.meta import CustomObject

AnyKind = TypeVar("AnyKind", bound=CustomObject)


class Ref(NamedTuple):
    """An object, of whatever kind: ours or one of Kubernetes' own."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


Objects = Mapping[Ref, CustomObject]
"""Objects of our kinds that may be referred to."""


def look_up(objects: Objects, model: type[AnyKind], namespace: str, name: str) -> AnyKind | None:
    """The object of a kind, if it is there."""
    found = objects.get(Ref(model.__name__, namespace, name))
    return found if isinstance(found, model) else None


def ref_to(obj: CustomObject) -> Ref:
    """How others refer to an object."""
    return Ref(type(obj).__name__, obj.metadata.namespace, obj.metadata.name)


def by_ref(objects: Iterable[CustomObject]) -> Objects:
    """Objects by how others refer to them."""
    return {ref_to(each): each for each in objects}
