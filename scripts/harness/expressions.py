"""Every <+...> names something that has a value where it stands.

It names something in the same folder (a variable, an earlier stage or step, a key of one), or it is listed in
expressions.yaml, which says what Harness fills in and where.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scripts.harness import references, turns
from scripts.harness.folder import Folder, Json
from scripts.harness.listings import Listed
from scripts.harness.problems import HarnessProblem, Path
from scripts.harness.schema import wrapped
from scripts.harness.templates import texts

SECRET = re.compile(r'secrets\.getValue\("([^"]*)"\)')
STEP = re.compile(r"spec\.execution\.(?P<branch>steps|rollbackSteps)\.(?P<rest>.+)")
OUTPUT = "output.outputVariables."


@dataclass(frozen=True)
class ExpressionScope:
    """The place of an expression: an expanded pipeline, and the stage and step in it; None outside of all."""

    folder: Folder
    pipeline: Json
    stage: Mapping[str, Json] | None = None
    step: Mapping[str, Json] | None = None


def problems(file: str, node: Json, path: Path, scopes: Sequence[ExpressionScope]) -> Iterator[HarnessProblem]:
    """What the expressions in a tree name that is not there, in any of the places where the tree is used."""
    for where, text in texts(node, path):
        closed, rest = scan(text)
        if rest is not None:
            yield HarnessProblem(file, where, f"<+{rest}: has no closing >; add it behind the expression")
        for expression in closed:
            if found := next(filter(None, (unresolved(expression, scope) for scope in scopes)), None):
                yield HarnessProblem(file, where, f"<+{expression}>: {found}")


def scan(text: str) -> tuple[list[str], str | None]:
    """The expressions in a text without their brackets, inner ones too: `<+a.<+b>>` has `b` and `a.<+b>`.

    Behind them what follows the first `<+` that no `>` closes, which Harness would pass on as it is; None if all are.
    """
    found: list[str] = []
    starts: list[int] = []
    for place, sign in enumerate(text):
        if text.startswith("<+", place):
            starts.append(place + 2)
        elif sign == ">" and starts:
            found.append(text[starts.pop() : place])
    return found, text[starts[0] :] if starts else None


def pipeline_problems(folder: Folder, file: str, pipeline: Json) -> Iterator[HarnessProblem]:
    """The same for an expanded pipeline, in which each stage and step is a place of its own."""
    outside = {key: part for key, part in pipeline.items() if key != "stages"}
    yield from problems(file, outside, ("pipeline",), [ExpressionScope(folder, pipeline)])
    for path, kind, stage in wrapped(pipeline.get("stages", []), ("pipeline", "stages")):
        if kind == "stage":
            inside = ExpressionScope(folder, pipeline, stage)
            steps = {place: step for place, _, step in wrapped(stage, path)}
            for where, text in texts(stage, path):
                step = next((step for place, step in steps.items() if where[: len(place)] == place), None)
                yield from problems(file, text, where, [replace(inside, step=step)])


def unresolved(expression: str, scope: ExpressionScope) -> str | None:
    """Why an expression has no value where it stands; None if it has one."""
    secret = SECRET.fullmatch(expression)
    if secret:
        known = scope.folder.account.get("secrets", {})
        return None if secret[1] in known else f"no secret {secret[1]!r}; correct it, or list it in account.yaml"
    if expression == "input" or expression.startswith("input.") or "<+" in expression:
        return None  # what is inside of another one is looked at by itself
    if "(" in expression:
        return "calls a method on a path, which Harness may misread; write <+<+PATH>.METHOD()>"
    places = [each for each in scope.folder.listed if each.expression == expression and "behind" not in each.where]
    if places:
        named = ", ".join(f"a {each.where} of the type {each.type or 'any'}" for each in places)
        return None if any(_stands(each, scope) for each in places) else f"has a value only inside of {named}"
    for prefix, resolve in RESOLVERS.items():
        if expression.startswith(prefix):
            return resolve(expression.removeprefix(prefix), scope)
    return "names nothing in this folder; correct it, or add it to expressions.yaml if Harness knows it"


def _stands(entry: Listed, scope: ExpressionScope) -> bool:
    node = {"stage": scope.stage, "step": scope.step}.get(entry.where)
    return entry.where == "run" or (node is not None and entry.type in (None, node.get("type")))


def _one_of(name: str, known: Collection[str], what: str, where: str) -> str | None:
    if name in known:
        return None
    return f"there is no {what} {name!r} in {where}; there are: {', '.join(sorted(known)) or 'none'}"


def _pipeline(rest: str, scope: ExpressionScope) -> str | None:
    if rest.startswith("stages."):
        return _named_stage(rest.removeprefix("stages."), scope)
    if rest.startswith("variables."):
        names = [str(turns.value(variable, "name")) for variable in scope.pipeline.get("variables") or []]
        return _one_of(rest.removeprefix("variables."), names, "variable", "the pipeline")
    return _key(scope.pipeline, rest, "a pipeline", ())


def _named_stage(rest: str, scope: ExpressionScope) -> str | None:
    name, _, tail = rest.partition(".")
    stages = turns.stages(scope.pipeline)
    missing = _one_of(name, stages, "stage", "the pipeline")
    if missing:
        return missing
    if stages[name].node is scope.stage:
        return _own_stage(tail, scope)
    here = next((placed.turn for placed in stages.values() if placed.node is scope.stage), ())
    if stages[name].turn >= here:
        earlier = [other for other, placed in stages.items() if placed.turn < here]
        return f"the stage {name!r} has not run by then; name an earlier one: {', '.join(earlier) or 'there is none'}"
    if stages[name].node.get("strategy"):
        return f"the stage {name!r} runs once for each element of its matrix, so this names no single run of it"
    step = STEP.fullmatch(tail)
    if step:
        return _step(step["branch"], step["rest"], stages[name].node, f"the stage {name!r}", scope)
    return _key(stages[name].node, tail, "a stage", _behind("stage", None, scope))


def _own_stage(rest: str, scope: ExpressionScope) -> str | None:
    step = STEP.fullmatch(rest)
    if step:
        return _own_step(step["branch"], step["rest"], scope)
    if rest.startswith("matrix."):
        return _matrix(rest.removeprefix("matrix."), scope)
    return _key(scope.stage, rest, "a stage that has not ended", ())


def _own_step(branch: str, rest: str, scope: ExpressionScope) -> str | None:
    if scope.stage is None:
        return "is not inside a stage; write <+pipeline.stages.STAGE.spec.execution.steps...>"
    named = turns.steps(scope.stage, branch).get(rest.partition(".")[0])
    here = turns.turn(scope.stage, scope.step) if scope.step else None
    if named is not None and (here is None or named.turn >= here):
        return f"the step {named.identifier!r} has not run by then; name an earlier one of this stage"
    return _step(branch, rest, scope.stage, "this stage", scope)


def _step(branch: str, rest: str, stage: Mapping[str, Json], where: str, scope: ExpressionScope) -> str | None:
    """What follows the name of a step that has run."""
    name, _, tail = rest.partition(".")
    steps = turns.steps(stage, branch)
    missing = _one_of(name, steps, "step", where)
    if missing:
        return missing
    node = steps[name].node
    if tail.startswith(OUTPUT):
        declared = [str(turns.value(each, "name")) for each in turns.value(node, "spec.outputVariables") or []]
        return _one_of(tail.removeprefix(OUTPUT), declared, "output variable", f"spec.outputVariables of {name!r}")
    return _key(node, tail, f"a step of the type {node.get('type')}", _behind("step", node.get("type"), scope))


def _behind(what: str, kind: Json, scope: ExpressionScope) -> list[str]:
    """What expressions.yaml lists behind a stage or step that has run."""
    entries = (entry for entry in scope.folder.listed if entry.where == f"behind a {what}")
    return [entry.expression for entry in entries if entry.type in (None, kind)]


def _key(node: Json, path: str, what: str, listed: Collection[str]) -> str | None:
    """Why a path is neither listed nor the key of a single value in a tree."""
    found = turns.value(node, path)
    if path in listed or (found is not None and not isinstance(found, Mapping | list)):
        return None
    if found is not None:
        return f"names more than one value of {what}; go on to one of them"
    there = ", ".join((*sorted(listed), *(node if isinstance(node, Mapping) else ())))
    return f"{what} has no {path!r}; there are: {there} (expressions.yaml lists what Harness adds)"


def _matrix(rest: str, scope: ExpressionScope) -> str | None:
    axes = turns.value(scope.stage, "strategy.matrix") or {}
    return _one_of(rest, axes, "axis", "this stage's strategy.matrix")


def _variable(kind: str, rest: str, scope: ExpressionScope) -> str | None:
    name = turns.value(scope.stage, f"spec.{kind}.{kind}Ref") if scope.stage else None
    found = scope.folder.find(kind, str(name))
    known = references.variables(found) if found else frozenset()
    return _one_of(rest, known, "variable", f"the {kind} {name!r}")


RESOLVERS: dict[str, Callable[[str, ExpressionScope], str | None]] = {
    "pipeline.": _pipeline,
    "stage.": _own_stage,
    "execution.steps.": lambda rest, scope: _own_step("steps", rest, scope),
    "execution.rollbackSteps.": lambda rest, scope: _own_step("rollbackSteps", rest, scope),
    "steps.": lambda rest, scope: _own_step("steps", rest, scope),
    "step.": lambda rest, scope: _key(scope.step, rest, "this step", ()),
    "matrix.": _matrix,
    "serviceVariables.": lambda rest, scope: _variable("service", rest, scope),
    "env.variables.": lambda rest, scope: _variable("environment", rest, scope),
}
