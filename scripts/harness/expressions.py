"""Every <+...> names something: in the same folder, or in expressions.yaml, the list of what Harness fills in."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scripts.harness.folder import Folder, Json
from scripts.harness.problems import Path, Problem
from scripts.harness.schema import wrapped

SECRET = re.compile(r'secrets\.getValue\("([^"]*)"\)')
INPUTS = ("input", "input.")


@dataclass(frozen=True)
class Scope:
    """What an expression can name at the place where it stands."""

    folder: Folder
    pipeline: Json
    """An expanded pipeline."""
    stage: Mapping[str, Json] | None = None
    service_variables: frozenset[str] = frozenset()
    environment_variables: frozenset[str] = frozenset()


def expressions(text: str) -> Iterator[str]:
    """The expressions in a text without their brackets, inner ones too: `<+a.<+b>>` has `b` and `a.<+b>`."""
    return iter(_scan(text)[0])


def unclosed(text: str) -> str | None:
    """What follows the first `<+` that no `>` closes, so that Harness would pass it on as it is; None if all are."""
    starts = _scan(text)[1]
    return text[starts[0] :] if starts else None


def _scan(text: str) -> tuple[list[str], list[int]]:
    """The expressions, and the places behind every `<+` that stays open."""
    found: list[str] = []
    starts: list[int] = []
    place = 0
    while place < len(text):
        if text.startswith("<+", place):
            starts.append(place + 2)
            place += 2
            continue
        if text[place] == ">" and starts:
            found.append(text[starts.pop() : place])
        place += 1
    return found, starts


def texts(node: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string in a tree with its path."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for key, part in node.items():
            yield from texts(part, (*path, key))
    elif isinstance(node, list):
        for place, part in enumerate(node):
            yield from texts(part, (*path, place))


def problems(file: str, node: Json, path: Path, scopes: Sequence[Scope]) -> Iterator[Problem]:
    """What the expressions in a tree name that is not there.

    Args:
        file, path: where the tree is.
        scopes: one for each pipeline that uses it. An expression must mean something in all of them.
    """
    for where, text in texts(node, path):
        rest = unclosed(text)
        if rest is not None:
            yield Problem(file, where, f"<+{rest}: has no closing >; add it behind the expression")
        for expression in expressions(text):
            for scope in scopes:
                complaint = unresolved(expression, scope)
                if complaint:
                    yield Problem(file, where, f"<+{expression}>: {complaint}")
                    break


def pipeline_problems(folder: Folder, file: str, pipeline: Json, variables: frozenset[str]) -> Iterator[Problem]:
    """The same for an expanded pipeline, in whose stages an expression can name steps beside it."""
    stages = pipeline.get("stages", [])
    outer = Scope(folder, pipeline, environment_variables=variables)
    yield from problems(file, {k: v for k, v in pipeline.items() if k != "stages"}, ("pipeline",), [outer])
    for path, kind, stage in wrapped(stages, ("pipeline", "stages")):
        if kind == "stage":
            inner = Scope(folder, pipeline, stage, environment_variables=variables)
            yield from problems(file, stage, path, [inner])


def unresolved(expression: str, scope: Scope) -> str | None:
    """Why an expression names nothing; None if it names something."""
    if expression in INPUTS or expression.startswith("input."):
        return None
    secret = SECRET.fullmatch(expression)
    if secret:
        known = scope.folder.account.get("secrets", {})
        return None if secret[1] in known else f"no secret {secret[1]!r}; correct it, or list it in account.yaml"
    for prefix, resolve in RESOLVERS.items():
        if expression.startswith(prefix):
            return resolve(expression.removeprefix(prefix), scope)
    if any(fnmatch.fnmatchcase(expression, known) for known in scope.folder.known_expressions):
        return None
    return "names nothing in this folder; correct it, or add it to expressions.yaml if Harness knows it"


def _one_of(name: str, known: Sequence[str] | frozenset[str], what: str, where: str) -> str | None:
    if name in known:
        return None
    return f"there is no {what} {name!r} in {where}; there are: {', '.join(sorted(known)) or 'none'}"


def _pipeline_variable(rest: str, scope: Scope) -> str | None:
    names = [str(variable.get("name")) for variable in scope.pipeline.get("variables", [])]
    return _one_of(rest, names, "variable", "the pipeline")


def _stage(rest: str, scope: Scope) -> str | None:
    stages = {str(node.get("identifier")): node for _, kind, node in wrapped(scope.pipeline) if kind == "stage"}
    name, _, inner = rest.partition(".")
    missing = _one_of(name, list(stages), "stage", "the pipeline")
    if missing is None and inner.startswith("spec.execution.steps."):
        return _one_of(inner.split(".")[3], _steps(stages[name]), "step", f"the stage {name!r}")
    return missing


def _step(rest: str, scope: Scope) -> str | None:
    if scope.stage is None:
        return "is no place inside a stage; write <+pipeline.stages.STAGE.spec.execution.steps...>"
    return _one_of(rest.partition(".")[0], _steps(scope.stage), "step", "this stage")


def _steps(stage: Mapping[str, Json]) -> list[str]:
    return [str(node.get("identifier")) for _, kind, node in wrapped(stage) if kind == "step"]


def _matrix(rest: str, scope: Scope) -> str | None:
    axes = ((scope.stage or {}).get("strategy") or {}).get("matrix") or {}
    return _one_of(rest, list(axes), "axis", "this stage's strategy.matrix")


def _service_variable(rest: str, scope: Scope) -> str | None:
    return _one_of(rest, scope.service_variables, "variable", "the service")


def _environment_variable(rest: str, scope: Scope) -> str | None:
    return _one_of(rest, scope.environment_variables, "variable", "every environment")


RESOLVERS: dict[str, Callable[[str, Scope], str | None]] = {
    "pipeline.variables.": _pipeline_variable,
    "pipeline.stages.": _stage,
    "execution.steps.": _step,
    "matrix.": _matrix,
    "serviceVariables.": _service_variable,
    "env.variables.": _environment_variable,
}
