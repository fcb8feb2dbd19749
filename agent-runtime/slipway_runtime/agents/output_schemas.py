"""Output that fits a JSON Schema: what a model is asked for, and the check of what it gave.

Schemas of agents were checked when they were applied (`slipway_crds.outputschema`). One that comes with a question is
checked here by the same rules, and may not hold the process up: its patterns run in linear time, so those that need
more (look-around, back-references) are refused.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from pydantic_ai import ModelRetry, RunContext, StructuredDict
from pydantic_ai.output import ToolOutput
from pydantic_core import SchemaError, SchemaValidator, core_schema
from pydantic_core import ValidationError as CoreValidationError

from slipway_crds.outputschema import schema_problem
from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import AgentRequest

MESSAGE_CHARACTERS = 500
OUTPUT_TOOL = "final_result"
COSTLY = frozenset(("patternProperties", "$dynamicRef", "$dynamicAnchor"))
"""Keywords of schemas that come with a question which are refused."""


def canonical(schema: Mapping[str, Any]) -> str:
    """A schema that came with a question, as JSON.

    Raises:
        Problem: InvalidRequest if models cannot be asked for it.
    """
    problem = schema_problem(schema) or next(_costly(schema), "")
    if problem:
        raise Problem(Reason.INVALID_REQUEST, f"The output schema {problem}.")
    return orjson.dumps(schema).decode()


@lru_cache(maxsize=64)
def output_of(schema: str) -> tuple[ToolOutput[Any], Validator]:
    """What pydantic-ai asks a model for, and what checks it. `schema` is JSON."""
    parsed: dict[str, Any] = json.loads(schema)
    asked = ToolOutput(StructuredDict(parsed), name=OUTPUT_TOOL, description="Give the answer.")
    return asked, _VALIDATOR(parsed)


def checked(validator: Validator) -> Callable[[RunContext[Any], Any], Any]:
    """An output validator, which asks the model again for what does not fit, and says why."""

    def check(_: RunContext[Any], output: Any) -> Any:
        if (error := fault(validator, output)) is not None:
            raise ModelRetry(f"The output does not fit its schema. {error} Call {OUTPUT_TOOL} again.")
        return output

    return check


def fault(validator: Validator, output: Any) -> str | None:
    """What is wrong with an output, as a sentence; None if nothing is."""
    error = best_match(validator.iter_errors(output))
    if error is None:
        return None
    where = "/".join(map(str, error.absolute_path))
    return f"{where or 'It'}: {error.message[:MESSAGE_CHARACTERS]}."


def _costly(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for name, child in schema.items():
            if name in COSTLY:
                yield f"uses {name}, which is not taken in a question: name the properties"
            if name == "pattern" and isinstance(child, str) and _pattern(child) is None:
                yield f"has the pattern {child[:80]}, which is none without look-around and back-references"
            yield from _costly(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from _costly(child)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> SchemaValidator | None:
    """A regular expression that runs in linear time; None where it cannot."""
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        return None


def _check_pattern(_: Validator, pattern: str, instance: Any, __: Mapping[str, Any]) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _matches(pattern: str, text: str) -> bool:
    compiled = _pattern(pattern)
    if compiled is None:  # of the agent's own schema: a question's was refused
        return re.search(pattern, text) is not None
    try:
        compiled.validate_python(text)
    except CoreValidationError:
        return False
    return True


_VALIDATOR: Callable[[Mapping[str, Any]], Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _check_pattern}
)


def schema_of(request: AgentRequest, config: AgentConfig) -> str | None:
    """The schema that the output has to fit: the caller's, else the agent's own."""
    return canonical(request.output_schema) if request.output_schema is not None else config.output_schema
