"""What an ingestion has to do, by what the sources list and what the build has."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from slipway_runtime.knowledge.ingestion.sources import DocumentRef, DocumentSource, SourceUnavailable
from slipway_runtime.store.documents import DocumentState

DocumentKey = tuple[str, str]
"""Source and name of a document."""


@dataclass(frozen=True)
class IngestionPlan:
    """What an ingestion has to do to a build."""

    load: tuple[DocumentRef, ...]
    """Documents that may have changed, or lost vectors."""
    removed: tuple[DocumentKey, ...]
    kept: bool
    """Whether a document with chunks stays as it is."""


@dataclass(frozen=True)
class SourceListing:
    """What the sources hold, and why some of them cannot be read."""

    refs: Sequence[DocumentRef]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Reasons, by source."""


def make_plan(
    listing: SourceListing, *, states: Mapping[DocumentKey, DocumentState], lost: set[DocumentKey]
) -> IngestionPlan:
    """Compare what the sources list with what the build has. What it has of sources that cannot be read stays.

    Args:
        states: the documents of the build.
        lost: documents some of whose vectors are missing.
    """
    refs = listing.refs
    left = {key for key in states if key[0] in listing.unavailable}
    load = tuple(
        ref
        for ref in refs
        if ref.key in lost or (state := states.get(ref.key)) is None or state.version != version_of(ref)
    )
    listed, loaded = {ref.key for ref in refs}, {ref.key for ref in load}
    return IngestionPlan(
        load=load,
        removed=tuple(sorted(set(states) - listed - left)),
        kept=any(states[key].chunks for key in ((listed - loaded) & set(states)) | left),
    )


SAID = re.compile(r"\+said:[0-9a-f]{16}\Z")


def version_of(ref: DocumentRef) -> str:
    """The version of a document's content and of what its source says about it."""
    if not ref.metadata:
        return ref.version
    said = orjson.dumps(ref.metadata, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    return f"{ref.version}+said:{hashlib.sha256(said).hexdigest()[:16]}"


def own_version(version: str) -> str:
    """Of what `version_of` gave, the version as the source says it."""
    return SAID.sub("", version)


async def list_all(sources: Sequence[DocumentSource], states: Mapping[DocumentKey, DocumentState]) -> SourceListing:
    """What all sources hold. One that breaks off counts as one that cannot be read at all."""
    refs: list[DocumentRef] = []
    unavailable: dict[str, str] = {}
    for source in sources:
        known = {name: own_version(state.version) for (of, name), state in states.items() if of == source.name}
        try:
            refs += [ref async for ref in source.list(known)]
        except SourceUnavailable as error:
            unavailable[source.name] = str(error)
    return SourceListing(refs, unavailable)


def reasons(unavailable: Mapping[str, str]) -> tuple[str, ...]:
    """What a report says of sources that cannot be read."""
    return tuple(f"{name}: {why}" for name, why in sorted(unavailable.items()))
