"""The format of a catalogue: one signed file that lists plugins, agents and workflows with their versions.

`index.json` is the file, and `index.json.sig` beside it the signature, as `cosign sign-blob` makes it. Everything that
an entry leads to is pinned by its digest, so that the signature of the index covers it.
"""

from datetime import datetime
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from slipway_crds.fields import NAME_MAX, NAME_PATTERN

CATALOG_VERSION = "catalog.slipway.dev/v1"
INDEX_FILE = "index.json"
SIGNATURE_FILE = "index.json.sig"
DIGEST_PATTERN = "^sha256:[0-9a-f]{64}$"
PATH_PATTERN = "^[0-9A-Za-z][-_.0-9A-Za-z]*(/[0-9A-Za-z][-_.0-9A-Za-z]*)*$"

Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]
CatalogKind = Literal["Plugin", "Agent", "Workflow"]


class CatalogModel(BaseModel):
    """Base of what is in an index: immutable, and strict about what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class CatalogVersion(CatalogModel):
    """One version of something."""

    version: Annotated[str, Field(max_length=64)]
    """Like 1.2.0 (PEP 440)."""
    manifest: Annotated[str, Field(max_length=256, pattern=PATH_PATTERN)]
    """Where its manifest is, relative to the index. The manifest may have further objects, like ConfigMaps."""
    digest: Digest
    """SHA-256 of the manifest."""
    slipway: Annotated[str, Field(max_length=64)] = ""
    """Versions of Slipway that it works with, like >=0.1,<1; empty for all of them."""
    dependencies: tuple[Annotated[str, Field(max_length=128)], ...] = ()
    """Plugins that it needs, like agent_metrics>=1.2,<2."""
    released: datetime | None = None
    """When it was added."""

    @field_validator("version")
    @classmethod
    def _version(cls, value: str) -> str:
        try:
            Version(value)
        except InvalidVersion:
            raise ValueError(f"{value} is no version: write one like 1.2.0") from None
        return value

    @field_validator("slipway")
    @classmethod
    def _range(cls, value: str) -> str:
        try:
            SpecifierSet(value)
        except InvalidSpecifier:
            raise ValueError(f"{value} is no range of versions: write one like >=0.1,<1") from None
        return value

    def works_with(self, slipway: str) -> bool:
        """Whether it works with a version of Slipway."""
        return SpecifierSet(self.slipway).contains(slipway, prereleases=True)


class CatalogEntry(CatalogModel):
    """A plugin, an agent or a workflow, in all of its versions."""

    kind: CatalogKind
    name: Annotated[str, Field(max_length=NAME_MAX, pattern=NAME_PATTERN)]
    """Of the object in the manifest. No two entries of a kind have the same."""
    description: Annotated[str, Field(max_length=512)] = ""
    author: Annotated[str, Field(max_length=128)] = ""
    keywords: tuple[Annotated[str, Field(max_length=32)], ...] = ()
    versions: Annotated[tuple[CatalogVersion, ...], Field(min_length=1, max_length=200)]

    def newest(self, *, slipway: str) -> CatalogVersion | None:
        """The newest version that works with a version of Slipway: a final one where there is any."""
        fitting = [each for each in self.versions if each.works_with(slipway)]
        final = [each for each in fitting if not Version(each.version).is_prerelease]
        return max(final or fitting, key=lambda each: Version(each.version), default=None)


class CatalogIndex(CatalogModel):
    """A whole catalogue."""

    api_version: Annotated[Literal["catalog.slipway.dev/v1"], Field(alias="apiVersion")]
    name: Annotated[str, Field(max_length=64)]
    """Of the catalogue, for people."""
    updated: datetime
    entries: Annotated[tuple[CatalogEntry, ...], Field(max_length=5000)]

    @model_validator(mode="after")
    def _distinct(self) -> "CatalogIndex":
        names = [(each.kind, each.name) for each in self.entries]
        if twice := {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set():
            kind, name = min(twice)
            raise ValueError(f"{kind} {name} has two entries: put all versions into one")
        return self
