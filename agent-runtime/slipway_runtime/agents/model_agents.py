"""What the architectures have in common whose nodes are agents of pydantic-ai: what they take, and why they give up."""

from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.usage import RunUsage

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.problems import Problem, Reason

REPAIRS = 2
"""How often output that does not fit, or a tool call that cannot be understood, is asked for again."""


def honoured(config: AgentConfig) -> frozenset[str]:
    """What of an `Ask` an agent with models takes."""
    taken = ("data", "history", "continuation", "client_tools", "tool_choice", "output_schema", "settings", "metadata")
    images = ("image",) if any(model.images for model in config.models) else ()
    return frozenset((*taken, *images, TURNS))


def limit_reached(config: AgentConfig, usage: RunUsage) -> Problem:
    """Which limit of the agent ended an answer."""
    if usage.requests >= config.max_steps:
        limit = f"{config.max_steps} requests to models (limits.maxSteps)"
    else:
        limit = f"{config.max_tokens} tokens (limits.maxTokens)"
    return Problem(
        Reason.LIMIT_REACHED, f"There was no answer within {limit}: ask for less at once, or raise the limit."
    )


def unusable(error: UnexpectedModelBehavior, *, structured: bool) -> Problem:
    """What a model gave cannot be used, however often it was asked."""
    cause = f" The last try: {error.__cause__}" if structured and error.__cause__ is not None else ""
    what = "output that fits the schema" if structured else "an answer that can be used"
    advice = "simplify the schema, or use another model" if structured else "use another model"
    return Problem(Reason.INVALID_OUTPUT, f"The model gave no {what} in {REPAIRS + 1} tries: {advice}.{cause[:600]}")
