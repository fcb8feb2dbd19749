"""What the operator knows of namespaces. What it remembers of one is keyed by UID, since a name may be used again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway_crds.meta import GROUP

LOGIN_ANNOTATION = f"{GROUP}/store-login"
"""On a namespace: version of its login to the store, a whole number. Counting it up rotates the password."""
LOGIN_MAX = 999_999


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """A namespace as it is on the API server."""

    name: str
    uid: str
    version: int
    deleting: bool
    login: int | None
    """Version of its login to the store; None if the annotation is no such number."""


def namespace_of(raw: Mapping[str, Any]) -> Namespace:
    """The raw object, or its metadata alone, as far as it is kept."""
    metadata = raw["metadata"]
    return Namespace(
        name=metadata["name"],
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        deleting="deletionTimestamp" in metadata,
        login=_login((metadata.get("annotations") or {}).get(LOGIN_ANNOTATION, "1")),
    )


def _login(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LOGIN_MAX))):
        return None
    return int(text) or None


class Namespaces:
    """All namespaces, by name. Methods that change it return whether anything has changed."""

    def __init__(self) -> None:
        self._known: dict[str, Namespace] = {}

    def get(self, name: str) -> Namespace | None:
        return self._known.get(name)

    def __iter__(self) -> Iterator[Namespace]:
        return iter(tuple(self._known.values()))

    def put(self, new: Namespace) -> bool:
        old = self._known.get(new.name)
        if old is not None and old.version >= new.version:
            # Versions grow over all objects, so this holds for one that was made again as well.
            return False
        self._known[new.name] = new
        return True

    def drop(self, name: str, uid: str) -> bool:
        old = self._known.get(name)
        if old is None or old.uid != uid:
            return False
        del self._known[name]
        return True
