"""What becomes of each parameter of OpenAI's chat completions: the table of `docs/http-api.md`, as code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from slipway_runtime.protocols.parameters import BadParameter


class Treatment(StrEnum):
    """What a gateway does with a parameter."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True)
class Parameter:
    """One of the table's rows. A refused parameter is let pass with a value in `idle`, which asks for nothing."""

    treatment: Treatment
    note: str
    idle: tuple[object, ...] = field(default=())


def _honoured(note: str) -> Parameter:
    return Parameter(Treatment.HONOURED, note)


def _ignored(note: str) -> Parameter:
    return Parameter(Treatment.IGNORED, note)


def _refused(note: str, *idle: object) -> Parameter:
    return Parameter(Treatment.REFUSED, note, idle)


_SETTING = "Goes to the agent's model; without effect on an agent that has none."
_ACCOUNTING = "Who asks is known by the key."
_OTHER_SERVER = "A setting of other servers, which front ends send everywhere."
PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "model": _honoured("`namespace/name` of an agent, or `auto` for the agent of `gateway.smartAgent`."),
        "messages": _honoured("The last message of the user is the question, the others are its history."),
        "stream": _honoured("Whether the answer comes as chunks."),
        "stream_options": _honoured("`include_usage` sends a last chunk with the usage."),
        "tools": _honoured("Functions that the client runs. An agent that cannot call them refuses them."),
        "tool_choice": _honoured("`auto`, `none`, `required` or one function."),
        "parallel_tool_calls": _honoured(_SETTING),
        "response_format": _honoured("`json_schema` and `json_object` ask for a structured answer."),
        "temperature": _honoured(_SETTING),
        "top_p": _honoured(_SETTING),
        "max_tokens": _honoured(_SETTING),
        "max_completion_tokens": _honoured(_SETTING + " Comes before `max_tokens`."),
        "stop": _honoured(_SETTING),
        "seed": _honoured(_SETTING),
        "presence_penalty": _honoured(_SETTING),
        "frequency_penalty": _honoured(_SETTING),
        "reasoning_effort": _honoured(_SETTING),
        "user": _ignored(_ACCOUNTING),
        "safety_identifier": _ignored(_ACCOUNTING),
        "metadata": _ignored("Nothing is kept under it."),
        "store": _ignored("Runs are kept as long as sessions are, whatever it says."),
        "service_tier": _ignored("There is one."),
        "prompt_cache_key": _ignored("Caching is the agent's."),
        "prompt_cache_retention": _ignored("Caching is the agent's."),
        "verbosity": _ignored("The agent's instructions say how long an answer is."),
        "top_k": _ignored(_OTHER_SERVER),
        "min_p": _ignored(_OTHER_SERVER),
        "repetition_penalty": _ignored(_OTHER_SERVER),
        "include_reasoning": _ignored(_OTHER_SERVER),
        "reasoning": _ignored(_OTHER_SERVER),
        "n": _refused("One answer is given to a question.", 1),
        "logprobs": _refused("Agents give no probabilities.", False),
        "top_logprobs": _refused("Agents give no probabilities.", 0),
        "logit_bias": _refused("Tokens of which model is not known to a client.", {}),
        "modalities": _refused("Answers are text.", ["text"]),
        "audio": _refused("Answers are text."),
        "prediction": _refused("Answers cannot be predicted."),
        "web_search_options": _refused("Whether an agent searches the web is its own setting."),
        "functions": _refused("Use `tools`.", []),
        "function_call": _refused("Use `tool_choice`.", "none"),
    }
)


def check(names: Mapping[str, object]) -> None:
    """See that nothing is asked that is refused or unknown.

    Args:
        names: what a client sends, without the parameters that are null.

    Raises:
        BadParameter: for the first one.
    """
    for name, value in names.items():
        known = PARAMETERS.get(name)
        if known is None:
            raise BadParameter(name[:64], "there is no such parameter: leave it out")
        if known.treatment is Treatment.REFUSED and not any(_same(value, idle) for idle in known.idle):
            raise BadParameter(name, f"is not supported. {known.note}")


def _same(value: object, idle: object) -> bool:
    return type(value) is type(idle) and value == idle
