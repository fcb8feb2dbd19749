"""Settings of a model that come with a question."""

from typing import Any, cast

from pydantic_ai.settings import ModelSettings

from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import AgentRequest

TAKEN = frozenset(
    (
        *("temperature", "top_p", "max_tokens", "stop_sequences", "seed", "presence_penalty", "frequency_penalty"),
        *("parallel_tool_calls", "thinking"),
    )
)


def settings_of(request: AgentRequest) -> ModelSettings:
    """The settings for pydantic-ai.

    Raises:
        Problem: InvalidRequest for one that changes more than how a model writes, such as its address.
    """
    given: dict[str, Any] = dict(request.settings or {})
    if odd := sorted(given.keys() - TAKEN):
        raise Problem(Reason.INVALID_REQUEST, f"These settings are not taken: {', '.join(odd)[:200]}. Leave them out.")
    return cast(ModelSettings, given)
