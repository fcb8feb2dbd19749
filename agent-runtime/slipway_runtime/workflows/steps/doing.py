"""One try of a step that calls an agent or searches: whom it calls, with what, and whether the output fits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from slipway_crds.workflows.model import IndexSearch, MapOver, Shape, WorkflowStep
from slipway_runtime.workflows.expressions import ExpressionFailed, Variables, fill
from slipway_runtime.workflows.records import WorkflowRun
from slipway_runtime.workflows.schemas import misfit
from slipway_runtime.workflows.steps.calls import OUTPUT_BYTES, CapableAgent, StepCall
from slipway_runtime.workflows.steps.failures import MISSING_AGENT, NOT_FITTING, TryFailed

SEARCH_TOOL = "search_documents"
ASK_TOOL = "ask"


class AgentDoor(Protocol):
    """What reaches agents: `GatewayCalls`."""

    async def agents(self, run: WorkflowRun) -> Sequence[CapableAgent]:
        """The agents of the run's namespace, by name. Raises TryFailed."""
        ...

    async def call(self, run: WorkflowRun, call: StepCall) -> Any:
        """What a tool gives. Raises TryFailed."""
        ...


@dataclass(frozen=True)
class PlannedCall:
    """What one try does, with everything that its expressions gave.

    Args:
        candidates: the agents that it could be; more than one only where `requires` says so.
    """

    call: StepCall
    candidates: tuple[str, ...]
    most: int | None = None
    """Passages of a search at most."""


async def planned(
    step: WorkflowStep, run: WorkflowRun, seen: Variables, previous: Mapping[str, Any], *, key: str, calls: AgentDoor
) -> PlannedCall:
    """Find out what a try does.

    Raises:
        TryFailed: if an expression has no value, or there is no agent for it.
    """
    does: WorkflowStep | MapOver = step.map or step
    try:
        if does.search is not None:
            return await _search(does.search, run, seen, key=key, calls=calls)
        arguments = fill(does.params or {}, seen)
        if does.ask is not None:
            arguments.setdefault("question", str(fill(does.ask, seen)))
    except ExpressionFailed as error:
        raise TryFailed("ExpressionFailed", str(error), final=True) from error
    candidates = await _candidates(does, run, calls)
    context = {"previous_results": dict(previous), "step_requirements": list(does.requires or ())}
    repeatable = step.repeat == "Safe"
    call = StepCall(candidates[0], does.tool or ASK_TOOL, arguments, context, key, repeatable=repeatable)
    return PlannedCall(call, candidates if does.requires else ())


async def _candidates(does: WorkflowStep | MapOver, run: WorkflowRun, calls: AgentDoor) -> tuple[str, ...]:
    if does.agent_ref is not None:
        return (does.agent_ref.name,)
    wanted = frozenset(does.requires or ())
    listed = await calls.agents(run)
    found = tuple(agent.name for agent in listed if wanted <= agent.capabilities)
    if found:
        return found
    nearest = max(listed, key=lambda agent: len(wanted & agent.capabilities), default=None)
    lacks = f"; {nearest.name} lacks {', '.join(sorted(wanted - nearest.capabilities))}" if nearest else ""
    raise TryFailed(
        MISSING_AGENT, f"no agent of the namespace has the capabilities {', '.join(sorted(wanted))}{lacks}", final=True
    )


async def _search(search: IndexSearch, run: WorkflowRun, seen: Variables, *, key: str, calls: AgentDoor) -> PlannedCall:
    """A search by the tool of an agent that has the index."""
    query, index = str(fill(search.query, seen)), search.index_ref.name
    found = tuple(agent.name for agent in await calls.agents(run) if index in agent.knowledge)
    if not found:
        message = f"no agent of the namespace answers from the index {index}, so nobody can search it"
        raise TryFailed("IndexNotServed", message, final=True)
    arguments = {"query": query, "filters": {"index": index}}
    return PlannedCall(StepCall(found[0], SEARCH_TOOL, arguments, {}, key), found, most=search.top_k)


async def done(work: PlannedCall, run: WorkflowRun, *, shape: Shape | None, calls: AgentDoor) -> Any:
    """What a try gives. Raises TryFailed."""
    output = await calls.call(run, work.call)
    if work.most is not None:
        output = _passages(output)[: work.most]
    return checked(output, shape)


def checked(output: Any, shape: Shape | None) -> Any:
    """An output that is small enough and fits.

    Raises:
        TryFailed: if it is not.
    """
    try:
        size = len(orjson.dumps(output))
    except orjson.JSONEncodeError as error:
        raise TryFailed("OutputInvalid", f"the output is no JSON: {error}", final=True) from None
    if size > OUTPUT_BYTES:
        most = OUTPUT_BYTES // 2**20
        raise TryFailed("OutputTooLarge", f"the output has {size} bytes, {most} MiB at most: return less", final=True)
    if shape is not None and (problem := misfit(shape.json_schema, output)):
        raise TryFailed(NOT_FITTING, f"the output {problem}")
    return output


def _passages(output: Any) -> list[Any]:
    found = output.get("passages") if isinstance(output, Mapping) else None
    return found if isinstance(found, list) else [output]
