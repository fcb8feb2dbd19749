"""Other agents as tools of a model: each is asked through the gateway, for the caller of the run.

A call is a step that may run twice, since the run of the agent that is asked is named by it. Of its events only its
usage and its progress are passed on: the model decides what of the answer is said.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from pydantic_ai import FunctionToolset, Tool
from pydantic_ai.messages import ToolReturn

from slipway_crds.runtimeconfig import AgentBindings, HeaderBinding, ToolConfig
from slipway_runtime.agents.calling import UNFOLLOWED_SECONDS, AgentCalls
from slipway_runtime.agents.forwarding import AgentCall, MemberAnswer, ask_with_less, patience_of
from slipway_runtime.agents.grounding import NO_ANSWER
from slipway_runtime.agents.remote_agents import RemoteAgent, bound_headers
from slipway_runtime.agents.tool_results import MOST_CHARACTERS, SAID, as_data
from slipway_runtime.events import Event, Progress, Usage
from slipway_runtime.models.durable import METADATA, Unit, current_unit
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import Ask, ImagePart, TextPart
from slipway_runtime.run import Emit

LONGEST_QUESTION = 8_000
PICTURES = frozenset(("image",))
"""Those of the run's question go along, to agents that can see."""
DRAFT_RULE = f"""\
What a tool gave may be said like what a passage says, without a number. If neither answers the question, and you cannot
know the answer otherwise, reply with {NO_ANSWER} and nothing else."""


class Askable:
    """The agents that tools name: asked through the gateway, or by A2A where they are elsewhere."""

    def __init__(
        self, tools: Sequence[ToolConfig], calls: AgentCalls, bindings: Callable[[], AgentBindings] = AgentBindings
    ) -> None:
        self._calls = calls
        self._remote = {
            each.name: RemoteAgent(each.url, bound_headers(partial(_bound, bindings, each.name)))
            for each in tools
            if each.url
        }

    def call(self, tool: ToolConfig, unit: Unit, ask: Ask) -> AgentCall:
        """What asks a tool's agent, within a step."""
        if tool.url is None:
            return self._calls.call(unit.run, tool.agent, ask, key=unit.key)
        return self._remote[tool.name].call(ask, key=f"{unit.run.id}/{unit.key}", name=tool.name)

    async def close(self) -> None:
        """Close the connections to agents elsewhere."""
        for each in self._remote.values():
            await each.close()


def _bound(bindings: Callable[[], AgentBindings], name: str) -> Sequence[HeaderBinding]:
    return bindings().remote_tools.get(name, ())


def agent_toolset(
    tools: Sequence[ToolConfig], calls: Askable, *, approved: Collection[str] = ()
) -> FunctionToolset[Any]:
    """A tool for each of the agents.

    Args:
        approved: names of the tools whose calls a person has to approve.
    """
    return FunctionToolset([_tool(each, calls, approved=each.name in approved) for each in tools], id="agents")


def _tool(tool: ToolConfig, calls: Askable, *, approved: bool) -> Tool[Any]:
    async def ask(question: str) -> ToolReturn[str]:
        """Ask the agent.

        Args:
            question: what to ask, in sentences that stand by themselves.
        """
        unit = current_unit()
        assert unit is not None, "tools are called within steps"
        return _result(tool, await _ask(tool, calls, unit, question[:LONGEST_QUESTION]))

    return Tool(
        ask,
        name=tool.name,
        description=tool.description,
        metadata={METADATA: {"where": "agent"}},
        requires_approval=approved,
    )


async def _ask(tool: ToolConfig, calls: Askable, unit: Unit, question: str) -> MemberAnswer:
    pictures = [part for part in unit.run.request.parts if isinstance(part, ImagePart)]
    asked = Ask(parts=(TextPart(text=question), *pictures), unfollowed_seconds=UNFOLLOWED_SECONDS)
    call = calls.call(tool, unit, asked)
    emit = _accounting(unit.emit)
    return await ask_with_less(call, without=PICTURES, step=unit.key, emit=emit, patience=patience_of(unit.run))


def _accounting(emit: Emit) -> Emit:
    def passed_on(event: Event) -> None:
        if isinstance(event, Usage | Progress):
            emit(event)

    return passed_on


def _result(tool: ToolConfig, answer: MemberAnswer) -> ToolReturn[str]:
    """What the model is given.

    Raises:
        Problem: `RequiredToolFailed`.
    """
    if answer.done is None:
        if tool.required:
            raise Problem(
                Reason.REQUIRED_TOOL_FAILED,
                f"The tool {tool.name} is required, and agent {tool.agent or tool.name} gave no answer"
                f" ({answer.reason}: {answer.message.rstrip('.')}).",
            )
        return ToolReturn(f"The agent is unavailable ({answer.reason}). Go on without it, and say what is missing.")
    if answer.state == "abstained":
        return ToolReturn("The agent knows no answer to this.")
    text = answer.done.answer
    return ToolReturn(as_data(tool.name, text), metadata={SAID: text[:MOST_CHARACTERS]})
