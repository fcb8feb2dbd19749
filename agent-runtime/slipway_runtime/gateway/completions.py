"""`POST /v1/chat/completions`: an agent is a model. A client that leaves cancels its run."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from slipway_runtime.gateway.conversation_path import ConversationPath
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.requests import request_id
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols import openai_errors
from slipway_runtime.protocols.ask import Ask
from slipway_runtime.protocols.given import Given, given_results
from slipway_runtime.protocols.openai_answer import Completion, CompletionStream, WholeCompletion
from slipway_runtime.protocols.openai_request import CompletionRequest, parse_completion

AUTO = "auto"
"""The model that is the agent of `gateway.smartAgent`."""


def agent_of(gateway: Gateway, model: str, caller: Caller) -> AgentKey:
    """The agent that a model's id names.

    Raises:
        Problem: `AgentNotFound`.
    """
    if model == AUTO:
        if gateway.smart_agent is None:
            raise Problem(
                Reason.AGENT_NOT_FOUND,
                "there is no smart agent for the model auto: set the chart value gateway.smartAgent to namespace/name, "
                "or name an agent",
            )
        agent = gateway.smart_agent
    else:
        try:
            agent = AgentKey.parse(model)
        except ValueError:
            raise no_such_model(model) from None
    if agent not in gateway.routes or not gateway.policy.allows(caller, Action.ASK, agent):
        raise no_such_model(model)
    return agent


def no_such_model(model: str) -> Problem:
    """There is no such agent for this caller."""
    return Problem(
        Reason.AGENT_NOT_FOUND,
        f"there is no model {model[:200]}: a model is an agent, named namespace/name; GET /v1/models lists them",
    )


@dataclass(frozen=True)
class _Asked:
    """See `ConversationRequest`."""

    completion: CompletionRequest
    agent: str

    @property
    def asks(self) -> Sequence[Ask]:
        return (self.completion.ask,)

    @property
    def given(self) -> Given | None:
        return given_results(self.completion.results)

    @property
    def stream(self) -> bool:
        return self.completion.stream

    def as_it_comes(self, run: str) -> CompletionStream:
        asked = self.completion
        return CompletionStream(self._of(run), include_usage=asked.include_usage, hold_text=asked.hold_text)

    def at_the_end(self, run: str) -> WholeCompletion:
        return WholeCompletion(self._of(run))

    def _of(self, run: str) -> Completion:
        structured = self.completion.ask.output_schema is not None
        return Completion(run_id=run, agent=self.agent, model=self.completion.model, structured=structured)


class Completions(ConversationPath):
    """The path."""

    span_name = "gateway completion"

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, openai_errors.answer)

    def _understood(self, request: Request, body: bytes, caller: Caller) -> tuple[AgentKey, str, _Asked]:
        asked = parse_completion(body, request.headers)
        agent = agent_of(self._gateway, asked.model, caller)
        return agent, request_id(request, owner=caller.owner, agent=agent), _Asked(asked, str(agent))
