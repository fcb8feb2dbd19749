"""Making the index of a folder of manifests, which is then signed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from slipway_crds.catalog import CATALOG_VERSION, INDEX_FILE, SIGNATURE_FILE, CatalogEntry, CatalogIndex, CatalogVersion
from slipway_crds.manifests import SUFFIXES, ManifestError, load_text
from slipway_crds.validate import validate_documents
from slipway_runtime.catalog.sources import CatalogProblem
from slipway_runtime.plugins.signing import SignatureRefused, digest_of, sign

ANNOTATION = "catalog.slipway.dev/"
"""Annotations of the object that an entry is about: `version`, `description`, `author`, `keywords` and `slipway`. A
Plugin's `spec.metadata` is taken where they say nothing."""
KINDS = ("Plugin", "Workflow", "Agent")
"""What an entry is about: of a manifest with several of them the first kind here, so an Agent may come along."""


def write_index(folder: Path, *, name: str, private_key: bytes, password: bytes | None = None) -> CatalogIndex:
    """Write `index.json` and its signature into a folder of manifests, one file a version, also in folders below.

    Raises:
        CatalogProblem: if a manifest is not valid or has no version, or the key cannot be used.
    """
    found = [_entry(folder, file) for file in _manifests(folder)]
    if not found:
        raise CatalogProblem(f"{folder} has no manifests: put one file for each version there")
    index = _index(name, found)
    content = orjson.dumps(index.model_dump(mode="json", by_alias=True), option=orjson.OPT_INDENT_2)
    try:
        signature = sign(content, private_key, password=password)
    except SignatureRefused as error:
        raise CatalogProblem(str(error)) from None
    (folder / INDEX_FILE).write_bytes(content)
    (folder / SIGNATURE_FILE).write_text(signature + "\n")
    return index


def _manifests(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.suffix in SUFFIXES and file.is_file() and file.name != INDEX_FILE:
            yield file


def _index(name: str, found: Sequence[CatalogEntry]) -> CatalogIndex:
    """Raises CatalogProblem."""
    merged: dict[tuple[str, str], CatalogEntry] = {}
    for entry in found:
        before = merged.get((entry.kind, entry.name))
        versions = (*(before.versions if before else ()), *entry.versions)
        if len({each.version for each in versions}) < len(versions):
            raise CatalogProblem(
                f"{entry.kind} {entry.name} {entry.versions[0].version} is there twice: remove one file"
            )
        merged[(entry.kind, entry.name)] = entry.model_copy(update={"versions": versions})
    return CatalogIndex(
        api_version=CATALOG_VERSION,
        name=name,
        updated=datetime.now(UTC),
        entries=tuple(merged[key] for key in sorted(merged)),
    )


def _entry(folder: Path, file: Path) -> CatalogEntry:
    """The entry of one file, with one version. Raises CatalogProblem."""
    content = file.read_bytes()
    try:
        values = [each.value for each in load_text(content.decode(), str(file))]
    except (ManifestError, UnicodeDecodeError) as error:
        raise CatalogProblem(f"{file} is no manifest: {error}") from None
    findings = [each for each in validate_documents(values) if not each.problem.waiting]
    if findings:
        raise CatalogProblem(f"{file} is not valid: {findings[0]}")
    about = _subject(values, file)
    metadata = about["metadata"]
    notes = {
        key.removeprefix(ANNOTATION): value
        for key, value in (metadata.get("annotations") or {}).items()
        if key.startswith(ANNOTATION)
    }
    said = {**(about["spec"].get("metadata") or {}), **notes}
    if "version" not in said:
        raise CatalogProblem(f"{file}: nobody says the version: add the annotation {ANNOTATION}version")
    try:
        return CatalogEntry(
            kind=about["kind"],
            name=metadata["name"],
            description=said.get("description") or about["spec"].get("description") or "",
            author=said.get("author", ""),
            keywords=tuple(said.get("keywords", "").replace(",", " ").split()),
            versions=(
                CatalogVersion(
                    version=said["version"],
                    manifest=file.relative_to(folder).as_posix(),
                    digest=digest_of(content),
                    slipway=said.get("slipway", ""),
                    dependencies=tuple(said.get("dependencies", ())),
                    released=None,
                ),
            ),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogProblem(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _subject(values: Sequence[object], file: Path) -> Mapping[str, Any]:
    """The object that a manifest is about. Raises CatalogProblem."""
    for kind in KINDS:
        for each in values:
            if isinstance(each, dict) and each.get("kind") == kind:
                return each
    raise CatalogProblem(f"{file} has no Plugin, Agent or Workflow: an entry of a catalogue is one of them")
