"""`POST /agents/{namespace}/{name}/ag-ui`: an agent by AG-UI. A client that leaves cancels its run."""

from typing import TYPE_CHECKING

from starlette.requests import Request

from slipway_runtime.gateway.conversation_path import ConversationPath, ConversationWork
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.permissions import Action, no_such_agent, require
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.requests import request_id
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import Caller
from slipway_runtime.problems import Problem
from slipway_runtime.protocols.chat import Chat
from slipway_runtime.protocols.headers import IDEMPOTENCY_HEADER, OTHER_QUESTION

if TYPE_CHECKING:
    from slipway_runtime.protocols.ag_ui_request import AgUiRequest

OTHER_RUN = (
    "runId: this one, or the Idempotency-Key, came with another question before. Use a new one for each question."
)


class AgUi(ConversationPath):
    """The path."""

    span_name = "gateway ag-ui"

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, Chat().problem)

    async def _begin(self, reply: Reply, work: ConversationWork) -> bool:
        try:
            return await super()._begin(reply, work)
        except Problem as problem:
            if problem.detail != OTHER_QUESTION:
                raise
            raise Problem(problem.reason, OTHER_RUN) from None

    def _understood(self, request: Request, body: bytes, caller: Caller) -> tuple[AgentKey, str, "AgUiRequest"]:
        # Takes a while, and not every gateway has such clients.
        from slipway_runtime.protocols.ag_ui_request import parse_ag_ui

        agent = AgentKey(request.path_params["namespace"], request.path_params["name"])
        if agent not in self._gateway.routes:
            raise no_such_agent()
        require(self._gateway.policy, caller, Action.ASK, agent)
        asked = parse_ag_ui(body, request.headers, owner=caller.owner, agent=str(agent))
        named = IDEMPOTENCY_HEADER in request.headers
        return agent, request_id(request, owner=caller.owner, agent=agent) if named else asked.run, asked
