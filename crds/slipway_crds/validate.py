"""`slipway validate`: the verdict of a real API server (`fieldValidation=Strict`), without one.

An API server looks at a new object in this order, and so does this: fields it does not know; nulls pruned and defaults
filled in; metadata; the schema; the CEL rules, here by their Python twins. A test holds the two verdicts together over
thousands of manifests. `status` is dropped on creation, so only its unknown fields count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from slipway_crds.checking import broken_rules, object_schema, schema_validator, unknown_fields
from slipway_crds.configmaps import config_map_problems, is_config_map
from slipway_crds.defaulting import fill
from slipway_crds.manifests import FieldProblem, ManifestDocument, Place, format_place
from slipway_crds.meta import API_VERSION, DEFAULT_NAMESPACE, GROUP, CustomObject
from slipway_crds.objectmeta import metadata_problems, with_generated_name
from slipway_crds.owners import Known
from slipway_crds.references import Ref, by_ref
from slipway_crds.registry import KINDS, OWNER_KINDS
from slipway_crds.resolve import ResolveProblem, Severity
from slipway_crds.wording import problem

MOST_PROBLEMS = 100
"""Of one object and sort: an object with more is no slip of a pen, and nobody reads on."""


@dataclass(frozen=True)
class Finding:
    """A problem of one object in a set: `subject` is `Kind namespace/name`, `source` and `line` where it is."""

    subject: str
    problem: FieldProblem
    source: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}: " if self.source else ""
        return f"{where}{_shortened(self.subject, 320)}: {_shortened(str(self.problem), 2000)}"


def _shortened(text: str, most: int) -> str:
    """A name or value as one line of bearable length, whatever a manifest makes of it."""
    text = text.replace("\n", "\\n")
    return text if len(text) <= most else text[: most - 3] + "..."


def validate_documents(documents: Iterable[object]) -> list[Finding]:
    """`validate_set` for objects that are plain data and come from no file."""
    return validate_set([ManifestDocument(value) for value in documents])


def validate_set(documents: Sequence[ManifestDocument]) -> list[Finding]:
    """What each object gets wrong, and what the objects get wrong together.

    The set is taken as closed: what is referred to and is not in it is said, as a warning, since a cluster may have it.
    """
    findings: list[Finding] = []
    sound: list[ManifestDocument] = []
    for document in documents:
        problems = [*document.problems[:MOST_PROBLEMS], *validate_document(document.value)]
        findings += [_finding(document, each) for each in problems]
        if not problems:
            sound.append(document)
    return findings + list(_together(sound, _config_maps(documents)))


def validate_document(document: object) -> list[FieldProblem]:
    """What an API server would refuse about one object; empty for a valid one.

    Of the kinds of others only ConfigMaps are judged, because they hold the documents. Whole numbers written as floats
    count as integers, because `kubectl` sends them so.
    """
    if not isinstance(document, dict):
        return [FieldProblem("", "is not an object: a manifest has apiVersion, kind, metadata and spec")]
    kind_problems = _kind_problems(document)
    if kind_problems or not (_is_ours(document) or is_config_map(document)):
        return kind_problems
    schema = object_schema(document["kind"])
    filled = {"metadata": {}, **fill({**document, "status": None}, schema)}
    errors = list(islice(schema_validator(document["kind"]).iter_errors(filled), MOST_PROBLEMS))
    unknown = list(islice(unknown_fields(document, schema), MOST_PROBLEMS))
    found = [*unknown, *map(problem, sorted(errors, key=lambda error: format_place(error.path)))]
    if len(errors) < MOST_PROBLEMS:
        found += _further(filled, schema, [tuple(error.absolute_path) for error in errors])
    if max(len(errors), len(unknown)) == MOST_PROBLEMS:
        found.append(FieldProblem("", "has more problems than these: correct these, and validate again"))
    return list(dict.fromkeys(found))


def _further(filled: dict[str, Any], schema: Mapping[str, Any], invalid: list[Place]) -> Iterator[FieldProblem]:
    """What an API server looks at once the types are right, where they are: `invalid` holds where they are not."""
    if not any(place[:1] == ("metadata",) for place in invalid):
        for each in islice(metadata_problems(filled["metadata"]), MOST_PROBLEMS):
            yield each
            if each.path == "metadata.name":
                invalid.append(("metadata", "name"))  # reported as missing once, its form need not be reported
        filled["metadata"] = with_generated_name(filled["metadata"])
    if is_config_map(filled):
        yield from () if invalid else islice(config_map_problems(filled), MOST_PROBLEMS)
    else:
        yield from broken_rules(filled, schema, invalid)


def parse(document: Mapping[str, Any]) -> CustomObject:
    """A valid object of one of our kinds as its model, read as an API server would have stored it.

    Raises:
        pydantic.ValidationError: if `validate_document` finds problems in it.
    """
    filled = fill({**document, "status": None}, object_schema(document["kind"]))
    filled["metadata"] = with_generated_name(filled["metadata"])
    filled["metadata"]["namespace"] = filled["metadata"].get("namespace") or DEFAULT_NAMESPACE
    return KINDS[document["kind"]].model_validate(filled)


def _is_ours(document: Mapping[str, Any]) -> bool:
    return str(document.get("apiVersion")).partition("/")[0] == GROUP


def _kind_problems(document: dict[str, Any]) -> list[FieldProblem]:
    for name in ("apiVersion", "kind"):
        value = document.get(name)
        if not isinstance(value, str) or not value:
            return [FieldProblem(name, f"must be a string, like {API_VERSION if name == 'apiVersion' else 'Agent'}")]
    core_with_our_kind = "/" not in document["apiVersion"] and document["kind"] in KINDS
    if not _is_ours(document) and not core_with_our_kind:
        return []
    if document["apiVersion"] != API_VERSION:
        return [FieldProblem("apiVersion", f"must be {API_VERSION}, not {document['apiVersion']}")]
    if document["kind"] not in KINDS:
        return [FieldProblem("kind", f"must be {' or '.join(KINDS)}, not {document['kind']}")]
    return []


def _config_maps(documents: Iterable[ManifestDocument]) -> Mapping[str, set[str]]:
    """Names of all ConfigMaps by namespace, also of those that have problems: these are not missing."""
    names: dict[str, set[str]] = {}
    for document in documents:
        value = document.value
        if isinstance(value, dict) and is_config_map(value) and isinstance(metadata := value.get("metadata"), dict):
            names.setdefault(str(metadata.get("namespace") or DEFAULT_NAMESPACE), set()).add(str(metadata.get("name")))
    return names


def _together(documents: Sequence[ManifestDocument], config_maps: Mapping[str, set[str]]) -> Iterator[Finding]:
    """Duplicates and missing references among valid objects."""
    by_subject: dict[str, ManifestDocument] = {}
    for document in documents:
        first = by_subject.setdefault(_subject(document.value), document)
        if first is not document:
            where = f" in {first.source}:{first.line}" if first.source else ""
            yield _finding(document, FieldProblem("metadata.name", f"is taken already{where}: keep one of the two"))
    for found in _references(by_subject, config_maps):
        document = by_subject[found.subject]
        yield _finding(document, FieldProblem(found.path, found.message, found.severity is not Severity.STALLED))


def _references(
    by_subject: Mapping[str, ManifestDocument], config_maps: Mapping[str, set[str]]
) -> Iterator[ResolveProblem]:
    values = [document.value for document in by_subject.values()]
    objects = [parse(value) for value in values if isinstance(value, dict) and _is_ours(value)]
    others = [Ref("ConfigMap", namespace, name) for namespace, names in config_maps.items() for name in names]
    known = Known(objects=by_ref(objects), others=others)
    for each in objects:
        yield from OWNER_KINDS[type(each).__name__].missing(each, known)


def _finding(document: ManifestDocument, problem: FieldProblem) -> Finding:
    return Finding(_subject(document.value), problem, document.source, document.line_of(problem.path))


def _subject(value: object) -> str:
    """`Kind namespace/name`, as far as they are there."""
    if not isinstance(value, dict):
        return "document"
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = metadata.get("name") or f"{metadata.get('generateName') or ''}?"
    return f"{value.get('kind') or 'object'} {metadata.get('namespace') or DEFAULT_NAMESPACE}/{name}"
