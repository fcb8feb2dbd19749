"""Calls of tools that the client runs: their ids, and the form of their results.

A run that calls such tools waits for one input of the kind `client_tools`. Its `calls` have `id`, `name` and `args`
(an object). The input's answer is `{"results": {CALL ID: TEXT, ...}}`. Each id names its run, so that a client of
OpenAI's protocol, which only sends results back, says which run goes on.
"""

import re
from collections.abc import Mapping
from typing import Any

from slipway_runtime.events import InputRequired

CALL_ID = re.compile(r"call_([0-9a-f]{32})_[0-9]{1,6}")


def call_id(run_id: str, number: int) -> str:
    """The id of a run's call; numbers count from 0 within the run."""
    return f"call_{run_id}_{number}"


def run_of(call: str) -> str | None:
    """The run that a call's id names; None for an id that is not of this form."""
    found = CALL_ID.fullmatch(call)
    return found[1] if found else None


def calls_of(required: InputRequired) -> frozenset[str]:
    """The ids of the calls that an input asks the results of; none for an input of another kind."""
    if required.kind != "client_tools":
        return frozenset()
    return frozenset(str(call.get("id")) for call in required.calls or ())


def results(texts: Mapping[str, str]) -> dict[str, Any]:
    """The input's answer, from the text of each result by its call's id."""
    return {"results": dict(texts)}
