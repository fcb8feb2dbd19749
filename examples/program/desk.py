"""A program that is an agent: it answers by A2A 1.0 at the port that the environment names."""

import os

import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_artifact, new_text_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette

ORDERS = {"1001": "on its way", "1002": "delivered"}


class Desk(AgentExecutor):
    """Says where an order is. A question that is sent again has the same message id: look before you act twice."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer one question."""
        if context.current_task is None:
            await event_queue.enqueue_event(new_task_from_user_message(context.message))
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        known = [order for order in ORDERS if order in context.get_user_input()]
        if not known:
            await updater.failed(new_text_message("Name the number of your order."))
            return
        text = f"Order {known[0]} is {ORDERS[known[0]]}."
        await updater.add_artifact(new_text_artifact("answer", text).parts, name="answer")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Every answer is immediate."""


def make(url: str) -> Starlette:
    """The program, which is reached at a URL."""
    card = AgentCard(
        name="desk",
        description="Says where an order is.",
        version="1",
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="orders", name="Orders", description="Where an order is.", tags=["orders"])],
    )
    handler = DefaultRequestHandler(agent_executor=Desk(), task_store=InMemoryTaskStore(), agent_card=card)
    return Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")])


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "9000"))
    # The host of the same pod reaches it on localhost, and nobody else does. The card names that address.
    uvicorn.run(make(f"http://127.0.0.1:{port}/"), host="127.0.0.1", port=port)
