"""Texts of documents that are kept outside the namespace's store: what such a place has to do.

The rows of documents stay in the store, and say where their texts are. A text is kept under the hash of its document,
so a new version is written before its row is, and what it replaces goes afterwards: a row and its text never disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway_crds.runtimeconfig import DocumentsConfig
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.documents import Build


class TextsRefused(StoreUnavailable):
    """The place of texts refuses what is asked of it, and will go on to: a person has to change something."""


@dataclass(frozen=True, order=True)
class TextKey:
    """One version of a document's text, in one build."""

    source: str
    name: str
    hash: str


@dataclass(frozen=True)
class TextSpan:
    """A part of a text. Offsets are characters, end exclusive."""

    key: TextKey
    start: int
    end: int


class TextStore(Protocol):
    """Keeps texts for one installation. Methods raise `StoreUnavailable`, or `TextsRefused`, if it cannot be used."""

    async def put_text(self, build: Build, key: TextKey, text: str) -> None:
        """Keep a text. Doing it again changes nothing."""
        ...

    async def get_text(self, build: Build, key: TextKey) -> str | None:
        """A text; None if it is not there."""
        ...

    async def spans(self, build: Build, spans: Sequence[TextSpan]) -> list[str | None]:
        """Parts of texts; None where the text is not there."""
        ...

    async def text_keys(self, build: Build) -> set[TextKey]:
        """All texts of a build."""
        ...

    async def delete_texts(self, build: Build, keys: Sequence[TextKey]) -> None:
        """Remove texts; those that are not there are no error."""
        ...

    async def drop_texts(self, index: str, revision: str = "") -> None:
        """Remove all texts of an index, or those of one build."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class OpenTexts(Protocol):
    """Gives the place of texts of an index."""

    async def __call__(self, index: str, config: DocumentsConfig, /) -> TextStore:
        """That of an index (`namespace/name`), the same object each time.

        Raises:
            StoreUnavailable: if its connection cannot be read; the text says what to do.
        """
        ...
