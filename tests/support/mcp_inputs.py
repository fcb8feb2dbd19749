"""The tools and the prompt of the conformance suite that end in `InputRequiredResult`, by the suite's descriptions."""

from collections.abc import Mapping
from typing import Any

from mcp_types import jsonrpc

from slipway_runtime.gateway.mcp.exchange import Exchange
from slipway_runtime.protocols.mcp import results
from slipway_runtime.protocols.mcp.messages import Json, RpcError
from slipway_runtime.protocols.mcp.sealing import NotSealed


def _form(message: str, **properties: str) -> Json:
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def _sampling(words: str, tokens: int) -> Json:
    message = {"role": "user", "content": {"type": "text", "text": words}}
    return {"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": tokens}}


NAME = _form("What is your name?", name="string")
ROOTS: Json = {"method": "roots/list", "params": {}}
CONFIRM = {"confirm": _form("Please confirm", ok="boolean")}
ROUNDS: Mapping[str, tuple[Mapping[str, Json], ...]] = {
    "test_input_required_result_elicitation": ({"user_name": NAME},),
    "test_input_required_result_sampling": ({"capital_question": _sampling("What is the capital of France?", 100)},),
    "test_input_required_result_list_roots": ({"client_roots": ROOTS},),
    "test_input_required_result_request_state": (CONFIRM,),
    "test_input_required_result_tampered_state": (CONFIRM,),
    "test_input_required_result_multiple_inputs": (
        {"user_name": NAME, "greeting": _sampling("Generate a greeting", 50), "client_roots": ROOTS},
    ),
    "test_input_required_result_multi_round": (
        {"step1": _form("Step 1: What is your name?", name="string")},
        {"step2": _form("Step 2: What is your favorite color?", color="string")},
    ),
    "test_input_required_result_capabilities": (
        {"user_name": NAME, "capital_question": _sampling("What is the capital of France?", 100)},
    ),
}
"""What each tool asks for, round by round."""
TOOLS = tuple(ROUNDS)
CAPABILITY = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}


def asked_tool(exchange: Exchange, name: str) -> Json:
    """The result of one of the tools."""
    return _round(exchange, name, ROUNDS[name]) or results.text("Hello! state-ok")


def asked_prompt(exchange: Exchange) -> Json:
    """The result of the prompt."""
    wanted = {"user_context": _form("What context should the prompt use?", context="string")}
    message = {"role": "user", "content": {"type": "text", "text": "A prompt with context"}}
    return _round(exchange, "prompt", (wanted,)) or {"messages": [message]}


def _round(exchange: Exchange, name: str, rounds: tuple[Mapping[str, Json], ...]) -> Json | None:
    """What is asked for next; None when all is there."""
    params = exchange.message.params
    given = params.get("inputResponses") or {}
    number = _number(exchange, name, params.get("requestState"))
    wanted = _declared(exchange, rounds[number]) if name.endswith("capabilities") else rounds[number]
    if not wanted.keys() <= given.keys():
        return _result(exchange, name, number, wanted)
    if number + 1 < len(rounds):
        return _result(exchange, name, number + 1, rounds[number + 1])
    return None


def _number(exchange: Exchange, name: str, state: Any) -> int:
    if state is None:
        return 0
    try:
        kept = exchange.client.open("state", str(state))
    except NotSealed:
        raise RpcError(jsonrpc.INVALID_PARAMS, "This requestState was not given to you") from None
    if kept["name"] != name:
        raise RpcError(jsonrpc.INVALID_PARAMS, "This requestState is another one's")
    return int(kept["round"])


def _declared(exchange: Exchange, wanted: Mapping[str, Json]) -> Mapping[str, Json]:
    declared = exchange.client.context.capabilities
    return {key: each for key, each in wanted.items() if CAPABILITY[each["method"]] in declared}


def _result(exchange: Exchange, name: str, number: int, wanted: Mapping[str, Json]) -> Json:
    state = exchange.client.seal("state", {"name": name, "round": number})
    return {"resultType": "input_required", "inputRequests": dict(wanted), "requestState": state}
