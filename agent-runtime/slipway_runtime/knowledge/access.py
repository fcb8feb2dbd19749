"""Who may read which documents of an index that is restricted to groups.

The metadata of each document says which groups may read it (`access`); the ingestion sees to that. It is an attribute
of each chunk as well, by which searches are narrowed. What they found, and every document that is asked for, is checked
once more by what the store has of the document. Nobody has groups until `reading_for` says otherwise.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import orjson

from slipway_runtime.knowledge.ingestion.attributes import LIST_MAX, TEXT_MAX
from slipway_runtime.knowledge.vectors.filters import AllOf, Among, Filter

ACCESS = "access"
"""The attribute, and the entry of a document's metadata."""
_groups: ContextVar[frozenset[str]] = ContextVar("reader", default=frozenset())


@contextmanager
def reading_for(groups: tuple[str, ...]) -> Iterator[None]:
    """Read documents for somebody who is in these groups, as the gateway verified."""
    token = _groups.set(frozenset(groups))
    try:
        yield
    finally:
        _groups.reset(token)


def reader_groups() -> frozenset[str]:
    """The groups of whom documents are read for now."""
    return _groups.get()


def readable(where: Filter | None) -> Filter:
    """What narrows a search besides, and what the reader may read."""
    allowed = Among(ACCESS, "contains_any", tuple(sorted(reader_groups())))
    return allowed if where is None else AllOf((allowed, where))


def may_read(metadata: str) -> bool:
    """Whether the reader may read a document with this metadata, as JSON, of a restricted index."""
    return not reader_groups().isdisjoint(groups_in(orjson.loads(metadata)))


def is_access(name: str) -> bool:
    """Whether an entry of metadata says who may read the document, however it is spelled."""
    return name.strip().casefold() == ACCESS


def groups_in(metadata: Mapping[str, object]) -> tuple[str, ...]:
    """The groups that metadata names; the last entry counts. What cannot be read as groups is nobody."""
    given: object = None
    for name, value in metadata.items():
        if is_access(name):
            given = value
    if isinstance(given, str) and given.lstrip().startswith("["):  # of an object in a bucket, whose values are texts
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            return ()
    named = [given] if isinstance(given, str) else given
    if not isinstance(named, list | tuple) or len(named) > LIST_MAX:
        return ()
    groups = [each for each in named if isinstance(each, str) and 0 < len(each) <= TEXT_MAX and "\0" not in each]
    return tuple(dict.fromkeys(groups)) if len(groups) == len(named) else ()
