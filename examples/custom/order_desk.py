"""Says where an order is. The host imports it by its entry point, `order_desk:make`."""

import re

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.events import Delta, Done
from slipway_runtime.run import Emit, Run

ORDERS = {"1001": "left our store on Monday", "1002": "waits for your payment"}  # yours would be a database


class OrderDesk:
    """An agent: it answers in steps, and returns how the answer ends."""

    honours: frozenset[str] = frozenset()
    """What it takes besides text, such as `data`, `history` or `image`. The rest is refused by name."""

    async def run(self, run: Run) -> Done:
        async def look_up(_: Emit) -> str | None:
            found = re.search(r"\b[0-9]{4}\b", run.request.question)
            return ORDERS.get(found[0]) if found else None

        # A step runs once: if the pod dies, the next one gets its result. `repeat="never"` is for what must not be
        # done twice, such as a payment.
        state = await run.step("look up", look_up)
        text = f"Your order {state}." if state else "I know no such order. Write its four digits."

        async def say(emit: Emit) -> None:
            emit(Delta(text=text))

        await run.step("answer", say)
        return Done(answer=text, finish="stop" if state else "abstained", sources=())

    async def missing(self) -> list[str]:
        return []  # what it waits for, each as a sentence for /readyz and the Agent's status


def make(config: AgentConfig, dependencies: AgentDependencies) -> OrderDesk:
    return OrderDesk()  # `config` has the Agent's fields, `dependencies` models, retrieval, store and other agents
