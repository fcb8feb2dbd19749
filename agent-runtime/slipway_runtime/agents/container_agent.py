"""The `custom` architecture with a program in a container of its own: asked by A2A on localhost, as one step."""

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.calling import CallFailed
from slipway_runtime.agents.forwarding import MemberAnswer, ask_member
from slipway_runtime.agents.remote_agents import RemoteAgent
from slipway_runtime.events import Done
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ask import Ask, TextPart
from slipway_runtime.run import Emit, Run

STEP = "ask"


class ContainerAgent:
    """See `Agent`. The program keeps its own conversations, by the session's id."""

    honours = frozenset(("data", "image", "metadata"))

    def __init__(self, config: AgentConfig, port: int) -> None:
        self._name = f"{config.namespace}/{config.name}"
        self._port = port
        self._remote = RemoteAgent(f"http://127.0.0.1:{port}")

    async def run(self, run: Run) -> Done:
        """See `Agent`. The step may run twice: the program knows a question that is sent again by its message's id.

        Raises:
            Problem: `InternalError` if the program gave no answer.
        """
        request = run.request
        ask = Ask(parts=request.parts or (TextPart(text=request.question),))

        async def forward(emit: Emit) -> dict[str, object]:
            call = self._remote.call(ask, key=f"{run.id}/{STEP}", name=self._name, context=run.session_id)
            answer = await ask_member(call, step=STEP, emit=emit)
            return answer.to_json()

        answer = MemberAnswer.model_validate(await run.step(STEP, forward))
        if answer.done is None:
            raise Problem(
                Reason.INTERNAL_ERROR,
                f"The program of the agent at port {self._port} gave no answer: {answer.message.rstrip('.')}. See the "
                "log of the pod's container custom.",
            )
        return answer.done

    async def missing(self) -> list[str]:
        """See `Agent`."""
        try:
            await self._remote.endpoint()
        except CallFailed as error:
            return [
                f"the program of spec.custom.image at port {self._port}: {error.message}. In `slipway dev`, start it "
                "yourself at that port"
            ]
        return []

    async def model_problems(self) -> list[str]:
        """See `UsesModels`."""
        return []

    async def close(self) -> None:
        """See `UsesModels`."""
        await self._remote.close()
