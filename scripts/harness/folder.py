"""Reading .harness: one entity a file, its kind named by the key at the root."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.harness import listings
from scripts.harness.problems import HarnessProblem
from scripts.harness.problems import Path as Keys

Json = Any
"""A parsed YAML value."""

FOLDERS = {
    "pipelines": ("pipeline",),
    "templates": ("template",),
    "input-sets": ("inputSet", "overlayInputSet"),
    "triggers": ("trigger",),
    "services": ("service",),
    "environments": ("environment",),
    "infrastructures": ("infrastructureDefinition",),
    "overrides": ("overrides",),
}


@dataclass(frozen=True)
class Entity:
    """One file of an account's configuration, named relative to the repository.

    Its kind is the key at the root, for example `pipeline`, and its body the value of that key.
    """

    file: str
    kind: str
    body: Mapping[str, Json]

    @property
    def identifier(self) -> str:
        return str(self.body.get("identifier", ""))


@dataclass(frozen=True)
class Folder:
    """All of .harness: `name`, relative to the repository's `root`."""

    root: Path
    name: str
    entities: tuple[Entity, ...]
    account: Mapping[str, Mapping[str, Json]]
    """account.yaml: what is the account's own, by sort."""
    listed: tuple[listings.Listed, ...]
    """expressions.yaml: what Harness fills in at run time."""
    problems: tuple[HarnessProblem, ...]

    def of(self, *kinds: str) -> Iterator[Entity]:
        return (entity for entity in self.entities if entity.kind in kinds)

    def find(self, kind: str, identifier: str) -> Entity | None:
        return next((entity for entity in self.of(kind) if entity.identifier == identifier), None)

    def names(self, kind: str) -> list[str]:
        return sorted(entity.identifier for entity in self.of(kind))


class NotOneMapping(Exception):
    """A file that is no YAML mapping with each key once, and a text."""


class _Loader(yaml.CSafeLoader):
    """Refuses a key that is given twice, of which YAML would silently keep the second."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise NotOneMapping(f"line {key_node.start_mark.line + 1}: the key {key!r} is no text; put it in quotes")
        if key in seen:
            raise NotOneMapping(f"line {key_node.start_mark.line + 1}: {key!r} is given twice; keep one")
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(file: Path) -> dict[str, Json]:
    """The mapping in a YAML file. Raises NotOneMapping with what to do."""
    try:
        text = file.read_text(encoding="utf-8")
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.CSafeLoader)):
            raise NotOneMapping("has a YAML alias (*name), which Harness does not promise to resolve; write it out")
        loaded = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise NotOneMapping(f"not YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise NotOneMapping("holds no mapping; see the other files of this folder")
    return loaded


def read(folder: Path) -> Folder:
    """Read the folder .harness of a repository. Files that cannot be read are among its problems."""
    root, here = folder.resolve().parent, folder.resolve().name
    entities: list[Entity] = []
    problems: list[HarnessProblem] = []
    for name, kinds in FOLDERS.items():
        for file in sorted((folder / name).glob("*.y*ml")):
            relative = f"{here}/{name}/{file.name}"
            document = _document(file, relative, problems) or {}
            kind = next((kind for kind in kinds if isinstance(document.get(kind), dict)), None)
            if kind and len(document) == 1:
                entities.append(Entity(relative, kind, document[kind]))
            elif document:
                problems.append(HarnessProblem(relative, (), f"write one key at the root: {' or '.join(kinds)}"))
    problems += _twice(entities)
    account = _document(folder / "account.yaml", f"{here}/account.yaml", problems, listings.account_complaints)
    listing = _document(folder / "expressions.yaml", f"{here}/expressions.yaml", problems, listings.listing_complaints)
    listed = tuple(listings.listed(listing)) if listing else ()
    return Folder(root, here, tuple(entities), account or {}, listed, tuple(problems))


def _document(
    file: Path,
    named: str,
    problems: list[HarnessProblem],
    complaints: Callable[[dict[str, Json]], Iterator[tuple[Keys, str]]] = lambda _: iter(()),
) -> dict[str, Json] | None:
    """A file's mapping; None if it holds none, or one of another form, which is then among the problems."""
    try:
        document = load(file)
    except NotOneMapping as error:
        problems.append(HarnessProblem(named, (), str(error)))
        return None
    wrong = list(complaints(document))
    problems += [HarnessProblem(named, path, message) for path, message in wrong]
    return None if wrong else document


def _twice(entities: list[Entity]) -> Iterator[HarnessProblem]:
    """Harness knows an entity by kind and identifier (input sets and their overlays share one space)."""
    seen: dict[tuple[str, str], str] = {}
    for entity in entities:
        kind = "inputSet" if entity.kind == "overlayInputSet" else entity.kind
        key = (kind, entity.identifier)
        if key in seen:
            message = f"{entity.identifier!r} is the identifier of {seen[key]} too; choose another"
            yield HarnessProblem(entity.file, (entity.kind, "identifier"), message)
        seen[key] = entity.file
