"""A catalogue whose signature was verified, and what can be found in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from slipway_crds.catalog import (
    INDEX_FILE,
    SIGNATURE_FILE,
    CatalogEntry,
    CatalogIndex,
    CatalogVersion,
)
from slipway_crds.manifests import ManifestDocument, ManifestError, load_text
from slipway_crds.validate import validate_documents
from slipway_runtime.catalog.sources import CatalogProblem, Read
from slipway_runtime.plugins.signing import SignatureRefused, TrustedKey, check_digest, verify
from slipway_runtime.version import VERSION


@dataclass(frozen=True)
class Catalog:
    """A verified index, with a way to its files."""

    index: CatalogIndex
    key: TrustedKey
    """That signed it."""
    read: Read

    def search(self, words: Sequence[str]) -> Iterator[CatalogEntry]:
        """Entries that have all of these words in their name, description, author or keywords, sorted by name."""
        for entry in sorted(self.index.entries, key=lambda each: (each.name, each.kind)):
            text = " ".join([entry.kind, entry.name, entry.description, entry.author, *entry.keywords]).lower()
            if all(word.lower() in text for word in words):
                yield entry

    def find(self, wanted: str) -> tuple[CatalogEntry, CatalogVersion]:
        """An entry and one of its versions.

        Args:
            wanted: `name`, `kind/name`, or either with `==version`. Without a version: the newest that works here.

        Raises:
            CatalogProblem: if there is none, or several kinds have the name.
        """
        full, _, version = wanted.partition("==")
        kind, slash, name = full.rpartition("/")
        found = [
            each
            for each in self.index.entries
            if each.name == name and (not slash or each.kind.lower() == kind.lower())
        ]
        if not found:
            raise CatalogProblem(f"{self.index.name} has no {full}: look for it with `slipway catalog search`")
        if len(found) > 1:
            kinds = " or ".join(f"{each.kind}/{name}" for each in found)
            raise CatalogProblem(f"several things are called {name}: write {kinds}")
        return found[0], _version(found[0], version)

    async def manifest(self, entry: CatalogEntry, version: CatalogVersion) -> bytes:
        """The manifest of a version, checked: it is the one that the index pins, valid, and what the entry says.

        Raises:
            CatalogProblem: if it is not.
        """
        content, what = await self.read(version.manifest), f"{entry.kind} {entry.name} {version.version}"
        try:
            check_digest(content, version.digest)
            documents = load_text(content.decode(), version.manifest)
        except SignatureRefused as error:
            raise CatalogProblem(f"{what} is refused: {error}") from None
        except (ManifestError, UnicodeDecodeError) as error:
            raise CatalogProblem(f"{what} is no manifest: {error}") from None
        _check_documents(documents, entry, what)
        return content


async def open_catalog(read: Read, keys: Sequence[TrustedKey]) -> Catalog:
    """The catalogue, once its signature is verified: nothing of it is looked at before.

    Raises:
        CatalogProblem: if it is not signed with one of the keys, or not readable.
    """
    content = await read(INDEX_FILE)
    signature = (await read(SIGNATURE_FILE)).decode(errors="replace")
    try:
        key = verify(content, signature, keys)
    except SignatureRefused as error:
        raise CatalogProblem(f"the catalogue is refused: {error}") from None
    try:
        index = CatalogIndex.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CatalogProblem(
            f"the index cannot be read: {where}: {first['msg']}. A newer Slipway may read it"
        ) from None
    return Catalog(index, key, read)


def _version(entry: CatalogEntry, wanted: str) -> CatalogVersion:
    """Raises CatalogProblem."""
    names = ", ".join(each.version for each in entry.versions)
    if not wanted:
        newest = entry.newest(slipway=VERSION)
        if newest is None:
            raise CatalogProblem(f"no version of {entry.name} works with Slipway {VERSION}: there are {names}")
        return newest
    try:
        found = [each for each in entry.versions if Version(each.version) == Version(wanted)]
    except InvalidVersion:
        found = []
    if not found:
        raise CatalogProblem(f"there is no version {wanted} of {entry.name}: there are {names}")
    if not found[0].works_with(VERSION):
        raise CatalogProblem(
            f"{entry.name} {wanted} needs Slipway {found[0].slipway}, and this is {VERSION}: take another version"
        )
    return found[0]


def _check_documents(documents: Sequence[ManifestDocument], entry: CatalogEntry, what: str) -> None:
    """Raises CatalogProblem."""
    values = [each.value for each in documents]
    findings = [each for each in validate_documents(values) if not each.problem.waiting]
    if findings:
        raise CatalogProblem(f"{what} is not valid here: {findings[0]}")
    named = [each for each in values if isinstance(each, dict) and each.get("kind") == entry.kind]
    if entry.name not in [each["metadata"].get("name") for each in named]:
        raise CatalogProblem(f"{what} is refused: its manifest has no {entry.kind} {entry.name}")
