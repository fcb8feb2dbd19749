"""The base of configuration documents."""

import hashlib

import orjson
from pydantic import BaseModel, ConfigDict


class ConfigModel(BaseModel):
    """Base of the configuration documents: immutable, and strict about what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical(self) -> bytes:
        """The document as JSON: the same bytes for the same meaning.

        Fields at their default are left out, so that a field added later, with a default that means what was done
        before, changes nothing: upgrading Slipway makes no new revision.
        """
        return orjson.dumps(self.model_dump(mode="json", exclude_defaults=True), option=orjson.OPT_SORT_KEYS)

    def digest(self) -> str:
        """First ten hexadecimal digits of the SHA-256 of the canonical JSON: the document's content address."""
        return hashlib.sha256(self.canonical()).hexdigest()[:10]
