"""Asking a host as the gateway does: an ask as JSON in, numbered events out."""

from collections.abc import Mapping
from typing import Any

import orjson

from slipway_runtime.problems import Problem
from slipway_runtime.protocols.chat import ChatAnswerBuilder


def ask_json(question: str, *, session: str | None = None, **more: Any) -> dict[str, Any]:
    """A question as hosts take it."""
    fields = {"session": session, **more}
    return {
        "parts": [{"kind": "text", "text": question}],
        **{name: value for name, value in fields.items() if value is not None},
    }


def chat_answer(run_id: str, frames: bytes) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """Status, body and headers of the JSON answer that the gateway makes of a run's events."""
    gathered = ChatAnswerBuilder(run_id)
    gathered.feed(frames)
    try:
        answer = gathered.answer()
    except Problem as problem:
        return problem.status, orjson.loads(problem.body()), problem.headers()
    assert answer is not None, frames
    return answer.status, orjson.loads(answer.body), answer.headers
