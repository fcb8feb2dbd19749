"""A plan of a workflow, made by rules of what it is to be based on, and the manifest that a plan becomes.

All of it is a pure function of what is asked for and the agents that there are.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from slipway_crds.meta import API_VERSION
from slipway_runtime.agents.calling import MemberDescription
from slipway_runtime.agents.decisions import STOP_WORDS, analyse, rank

MOST_STEPS = 12
MOST_DEPTH = 20
"""Of data that is looked through for things to do."""
NAME_WORDS, NAME_CHARACTERS = 3, 40
QUESTION_CHARACTERS = 4000
DESCRIPTION_CHARACTERS = 200
LISTS = ("steps", "tasks", "plan", "actions", "todo")
"""Keys under which data has what is to be done, one entry a step."""
WORDS = ("question", "task", "description", "instruction", "prompt", "goal", "answer", "text", "title", "name")
"""Keys under which an entry says what is to be done, the best first."""
MARKED = re.compile(r"^\s*(?:[-*+•]|\(?\d{1,2}[.)]|step \d{1,2}[:.)])\s+", re.IGNORECASE)
"""How a line of a list begins."""
BETWEEN = re.compile(r"(?<=[.;!?])\s+|\s*(?:,\s*)?\b(?:and then|then|after that|afterwards|finally)\b[,:]?\s+", re.I)
"""What is between two things to do in a text that is no list."""
APPROVED = re.compile(
    r"^(?:please )?(?:ask|have|let|get|wait|request|require|obtain|seek)\b.*\bapprov(?:e|es|al)\b|^approval\b", re.I
)
"""What a person decides, in place of an agent."""
AFTER_ALL = "Write the result from what the steps before found."


class PlannedStep(BaseModel):
    """A question to an agent, or to a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$", description="Like collect_facts.")]
    agent: Annotated[str, Field(description="Name of one of the agents.")]
    question: Annotated[str, Field(min_length=1, max_length=QUESTION_CHARACTERS, description="What it is asked.")]
    needs: Annotated[tuple[str, ...], Field(description="Names of the steps whose results it needs.")] = ()
    approval: Annotated[bool, Field(description="Whether a person approves this, and no agent is asked.")] = False


class WorkflowPlan(BaseModel):
    """Steps of a workflow, each after those that it needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern="^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=NAME_CHARACTERS)]
    description: Annotated[str, Field(max_length=DESCRIPTION_CHARACTERS)] = ""
    steps: Annotated[tuple[PlannedStep, ...], Field(min_length=1, max_length=MOST_STEPS)]


def planned_by_rules(based_on: object, agents: Sequence[MemberDescription]) -> WorkflowPlan:
    """A step for each thing to do, each by the agent whose description has most of its words.

    They come one after the other. Passages of documents are read at once, and what was read is put together.

    Args:
        based_on: a text, or data such as the result of an earlier step.
        agents: those that there are; at least one.
    """
    passages = list(dict.fromkeys(_passages(based_on)))[: MOST_STEPS - 1]
    if passages:
        steps = _steps([*passages, AFTER_ALL], agents)
        names = tuple(each.name for each in steps)
        steps[-1] = steps[-1].model_copy(update={"needs": names[:-1]})
    else:
        steps = _steps(list(_tasks(based_on))[:MOST_STEPS] or [AFTER_ALL], agents)
        pairs = pairwise(list(steps))
        steps[1:] = [after.model_copy(update={"needs": (before.name,)}) for before, after in pairs]
    first = steps[0].question
    about = " ".join(first.split())[:DESCRIPTION_CHARACTERS]
    return WorkflowPlan(name=object_name(first), description=about, steps=tuple(steps))


def _steps(tasks: Sequence[str], agents: Sequence[MemberDescription]) -> list[PlannedStep]:
    """Steps that need no others."""
    named = zip(_unique([_identifier(each) for each in tasks]), tasks, strict=True)
    return [
        PlannedStep(
            name=name,
            agent=_suited(task, agents),
            question=task[:QUESTION_CHARACTERS],
            approval=APPROVED.search(task) is not None,
        )
        for name, task in named
    ]


def text_of(based_on: object) -> str:
    """What a workflow is to be based on, for a model."""
    return based_on if isinstance(based_on, str) else json.dumps(based_on, ensure_ascii=False)


def _passages(based_on: object, depth: int = MOST_DEPTH) -> Iterator[str]:
    """What is to be done with passages of documents, as a search gives them: each can be read by itself."""
    if not isinstance(based_on, Mapping) or not depth:
        return
    found = based_on.get("passages")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping) and each.get("document"):
            about = f" on {each['heading']}" if each.get("heading") else ""
            yield f"Summarise what {each['document']} says{about}."
    for value in based_on.values():
        yield from _passages(value, depth - 1)


def _tasks(based_on: object, depth: int = MOST_DEPTH) -> Iterator[str]:
    """What is to be done, one text each."""
    if isinstance(based_on, str):
        yield from _in_text(based_on)
    elif isinstance(based_on, Mapping) and depth:
        listed = next((based_on[key] for key in LISTS if isinstance(based_on.get(key), list)), None)
        if listed is not None:
            yield from _entries(listed, depth - 1)
        elif (said := _said(based_on)) is not None:
            yield from _in_text(said)
        else:
            for each in based_on.values():
                yield from _tasks(each, depth - 1) if isinstance(each, (Mapping, list)) else ()
    elif isinstance(based_on, list) and depth:
        yield from _entries(based_on, depth - 1)


def _entries(listed: Sequence[object], depth: int) -> Iterator[str]:
    """One entry is one thing to do, however many sentences describe it."""
    for each in listed:
        said = _said(each)
        if said is not None:
            yield from [said.strip()] if said.strip() else []
        else:
            yield from _tasks(each, depth)


def _said(entry: object) -> str | None:
    """What an entry says that is to be done; None if it does not."""
    if isinstance(entry, Mapping):
        return next((entry[key] for key in WORDS if isinstance(entry.get(key), str)), None)
    return entry if isinstance(entry, str) else None


def _in_text(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [MARKED.sub("", line).strip() for line in lines if MARKED.match(line)]
    parts = marked if len(marked) > 1 else [part for line in lines for part in BETWEEN.split(line)]
    yield from (part.strip(" \t,;") for part in parts if re.search(r"\w", part))


def _suited(task: str, agents: Sequence[MemberDescription]) -> str:
    similar = {each.name: 0.0 for each in agents}
    return rank(task, analyse(task, role="fast_routing"), agents, similar)[0].member.name


def _words(text: str) -> list[str]:
    found = [word for word in re.findall(r"[a-z][a-z0-9]*", text.lower()) if word not in STOP_WORDS]
    return found[:NAME_WORDS]


def _identifier(task: str) -> str:
    return "_".join(_words(task))[: NAME_CHARACTERS - 3].rstrip("_") or "step"


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    taken: list[str] = []
    for name in names:
        free = (f"{name}_{number}" for number in range(2, MOST_STEPS + 2))
        taken.append(name if name not in taken else next(each for each in free if each not in taken))
    return tuple(taken)


def object_name(text: str) -> str:
    """A name for an object, of the first words of a text."""
    return "-".join(_words(text))[:NAME_CHARACTERS].rstrip("-") or "workflow"


def manifest_of(plan: WorkflowPlan, *, namespace: str) -> dict[str, Any]:
    """The Workflow that asks the agents of a plan."""
    about = {"description": plan.description} if plan.description else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": {"name": plan.name, "namespace": namespace},
        "spec": {**about, "steps": [_step(each) for each in plan.steps]},
    }


def _step(step: PlannedStep) -> dict[str, Any]:
    needs = {"needs": list(step.needs)} if step.needs else {}
    said = step.question.replace("${", "$ {")  # a plan has no expressions of its own
    results = "".join(f"\n\nResult of {name}: ${{steps.{name}}}" for name in step.needs)
    if step.approval:
        return {"name": step.name, **needs, "approval": {"message": f"{said}{results}"}}
    return {"name": step.name, **needs, "agentRef": {"name": step.agent}, "ask": f"{said}{results}"}
