"""Templates put into pipelines, and input sets into both: what a run executes, known beforehand.

An input is a place whose value is `<+input>`. Whoever fills it names the same place in the same tree, so one function
serves template inputs and input sets. A place that is no input cannot be filled, and one without a value stops a run.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scripts.harness.folder import Entity, Folder, Json
from scripts.harness.problems import HarnessProblem, Path, walk

INPUT = "<+input>"
WHOLE = re.compile(r"<\+input>(\.allowedValues\([^)]+\))?")
ALLOWED = re.compile(r"\.allowedValues\(([^)]*)\)")


@dataclass
class Filled:
    """A tree with inputs filled in, and what did not fit."""

    tree: Json
    unknown: list[tuple[Path, str]] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)


def label(element: Json, position: int) -> str | int:
    """What an element of a list is matched by: a variable's name, a stage's or step's identifier, else its place."""
    if isinstance(element, Mapping):
        for wrapper in ("stage", "step"):
            if isinstance(element.get(wrapper), Mapping):
                return str(element[wrapper].get("identifier"))
        if "name" in element and "type" in element:
            return str(element["name"])
    return position


def fill(tree: Json, inputs: Json, path: Path = ()) -> Filled:
    """Fill the inputs of a template's spec or a pipeline at this path.

    `inputs` is the same tree with only the filled places and what leads to them; None for none.
    """
    if isinstance(tree, str) and tree.startswith(INPUT):
        return _value(tree, inputs, path)
    if isinstance(tree, Mapping) and (inputs is None or isinstance(inputs, Mapping)):
        return _branch(tree, dict(inputs or {}), path)
    if isinstance(tree, list) and (inputs is None or isinstance(inputs, list)):
        parts, given = ({label(each, place): each for place, each in enumerate(side)} for side in (tree, inputs or []))
        filled = _branch(parts, given, path)
        return replace(filled, tree=list(filled.tree.values()))
    if inputs is None or inputs == tree:
        return Filled(tree)
    return Filled(tree, unknown=[(path, f"this is {tree!r} and no input; make it {INPUT} there, or leave it out here")])


def _value(tree: str, value: Json, path: Path) -> Filled:
    if value is None or value == "":
        return Filled(tree, missing=[path])
    found = ALLOWED.search(tree)
    allowed = [choice.strip() for choice in found[1].split(",")] if found else []
    if allowed and isinstance(value, str) and not value.startswith("<+") and value not in allowed:
        return Filled(value, unknown=[(path, f"{value!r} is not allowed; write one of {', '.join(allowed)}")])
    return Filled(value)


def _branch(children: Mapping[Json, Json], given: dict[Json, Json], path: Path) -> Filled:
    filled = Filled({})
    for key, child in children.items():
        part = fill(child, given.pop(key, None), (*path, key))
        filled.tree[key] = part.tree
        filled.unknown += part.unknown
        filled.missing += part.missing
    wrong = "there is no such place to fill; correct the name or leave it out"
    filled.unknown += [((*path, key), wrong) for key in given]
    return filled


@dataclass(frozen=True)
class Expanded:
    """A pipeline as it runs."""

    tree: Json
    problems: Sequence[HarnessProblem]
    """What is wrong with the use of its templates."""
    origins: Mapping[Path, str]
    """Files of the templates by the paths where they were put in."""

    def located(self, problem: HarnessProblem) -> HarnessProblem:
        """The problem with the template's file named, if its place was brought by one."""
        places = [place for place in self.origins if problem.path[: len(place)] == place]
        from_template = f" (from {self.origins[max(places, key=len)]})" if places else ""
        return replace(problem, message=problem.message + from_template)


def expand(folder: Folder, pipeline: Entity) -> Expanded:
    """The pipeline with its templates put in, and what is wrong with their use."""
    expansion = _Expansion(folder)
    tree = expansion.put_in(copy.deepcopy(dict(pipeline.body)), ("pipeline",), pipeline.file)
    return Expanded(tree, expansion.found, expansion.origins)


@dataclass(frozen=True)
class _Expansion:
    """One pipeline's, with what was found on the way."""

    folder: Folder
    found: list[HarnessProblem] = field(default_factory=list)
    origins: dict[Path, str] = field(default_factory=dict)

    def put_in(self, tree: Json, path: Path, file: str) -> Json:
        """The tree with its templates put in. It stands at the path of the expanded pipeline and was read from file."""
        if isinstance(tree, list):
            return [self.put_in(part, (*path, place), file) for place, part in enumerate(tree)]
        if not isinstance(tree, Mapping):
            return tree
        link = tree.get("template")
        if not isinstance(link, Mapping) or "templateRef" not in link:
            return {key: self.put_in(part, (*path, key), file) for key, part in tree.items()}
        own = {key: part for key, part in tree.items() if key != "template"}
        template = self._find(link, (*path, "template", "templateRef"), file)
        if template is None:
            return dict(tree)
        if template.file in (self.origins[place] for place in self.origins if path[: len(place)] == place):
            message = f"the template {template.identifier!r} would hold itself, without end; name another"
            self.found.append(HarnessProblem(file, (*path, "template", "templateRef"), message))
            return own
        filled = fill(template.body.get("spec"), link.get("templateInputs"), (*path, "template", "templateInputs"))
        self.found.extend(HarnessProblem(file, where, message) for where, message in filled.unknown)
        unfilled = (
            f"the template {template.identifier!r} needs a value here; add it (or {INPUT}, for input sets to give)"
        )
        self.found.extend(HarnessProblem(file, where, unfilled) for where in filled.missing)
        self.origins[path] = template.file
        return {**own, **self.put_in(filled.tree, path, template.file)}

    def _find(self, link: Mapping[str, Json], path: Path, file: str) -> Entity | None:
        desired = (link["templateRef"], link.get("versionLabel"))
        known = {(t.identifier, t.body.get("versionLabel")): t for t in self.folder.of("template")}
        if desired not in known:
            names = ", ".join(f"{name} {version}" for name, version in known)
            message = f"no template {desired[0]!r} with the version {desired[1]!r}; there are: {names}"
            self.found.append(HarnessProblem(file, path, message))
        return known.get(desired)


def written_problems(entity: Entity) -> Iterator[HarnessProblem]:
    """Inputs with something before or behind them, of which Harness would keep nothing or all."""
    for where, text in texts(entity.body, (entity.kind,)):
        if "<+input" in text and WHOLE.fullmatch(text) is None:
            message = f"{text!r} is no input; write {INPUT}, or {INPUT}.allowedValues(a,b), and nothing else"
            yield HarnessProblem(entity.file, where, message)


def texts(node: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string in a tree with its path."""
    return ((where, part) for where, part in walk(node, path) if isinstance(part, str))


def keyed(node: Json, path: Path) -> Iterator[tuple[Path, str, Json]]:
    """Every key of a tree with its path and value."""
    return ((where, where[-1], part) for where, part in walk(node, path) if where and isinstance(where[-1], str))


def input_problems(folder: Folder, pipelines: Mapping[str, Json]) -> Iterator[HarnessProblem]:
    """Input sets that fill what is no input. `pipelines` are the expanded ones by identifier."""
    for entity in folder.of("inputSet"):
        given = entity.body.get("pipeline", {})
        pipeline = pipelines.get(given.get("identifier", ""))
        if pipeline is None:
            message = f"no pipeline {given.get('identifier')!r}; there are: {', '.join(pipelines)}"
            yield HarnessProblem(entity.file, ("inputSet", "pipeline", "identifier"), message)
        else:
            for where, message in fill(pipeline, given, ("inputSet", "pipeline")).unknown:
                yield HarnessProblem(entity.file, where, message)
