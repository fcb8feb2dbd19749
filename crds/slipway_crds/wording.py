"""What `slipway validate` says: each schema error as a sentence that names the field and says what to write."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import ValidationError

from slipway_crds.fields import HINTS
from slipway_crds.manifests import FieldProblem, Place, format_place

_TYPES = {
    "string": "a string",
    "integer": "a whole number",
    "object": "an object (indented `name: value` lines)",
    "array": "a list (lines that begin with a dash)",
    "boolean": "true or false",
}


def problem(error: ValidationError) -> FieldProblem:
    """The problem that an error of the schema's validator stands for."""
    place: Place = tuple(error.absolute_path)
    if error.validator == "required":
        place = (*place, _missing(error))
    return FieldProblem(format_place(place), _message(error))


def unknown_field(place: Place, known: Iterable[str]) -> FieldProblem:
    """A field that the schema does not have."""
    names = sorted(known)
    name = str(place[-1])
    lowered = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.7)
    several = f"the fields here are {', '.join(names)}" if names else "there are no fields here: write {}"
    all_of_them = f"the one field here is {names[0]}" if len(names) == 1 else several
    advice = f"did you mean {lowered[close[0]]}?" if close else all_of_them
    return FieldProblem(format_place(place), f"there is no such field: {advice}")


def _missing(error: ValidationError) -> str:
    """The validator has the name only in its message, quoted."""
    names: list[str] = _keyword(error)
    return next(name for name in names if error.message.startswith(repr(name)))


def _keyword(error: ValidationError) -> Any:
    """What the schema says after the keyword that was broken."""
    return error.validator_value


def _message(error: ValidationError) -> str:
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    match error.validator:
        case "required":
            described = schema.get("properties", {}).get(_missing(error), {}).get("description", "")
            return f"is missing: {described}" if described else "is missing: it must be given"
        case "type":
            return _type(_keyword(error), instance, schema)
        case "enum":
            return f"must be {' or '.join(_keyword(error))}, not {_shown(instance)}"
        case "pattern" | "minLength":
            hint = HINTS.get(schema.get("pattern", ""), "not empty")
            return f"must be {hint}, not {_shown(instance)}"
        case "maxLength":
            return f"must be at most {_keyword(error)} characters, not {len(instance)}"
        case "minimum" | "maximum":
            return f"must be from {schema['minimum']} to {schema['maximum']}, not {_shown(instance)}"
        case "minItems" | "maxItems":
            bounds = f"from {schema.get('minItems', 0)} to {schema['maxItems']}"
            return f"must have {bounds} entries, not {len(instance)}"
        case "maxProperties":
            return f"must have at most {_keyword(error)} entries, not {len(instance)}"
        case "format":
            return f"must be a time like 2026-01-31T12:00:00Z, not {_shown(instance)}"
    return error.message


def _type(desired: str, instance: Any, schema: Mapping[str, Any]) -> str:
    message = f"must be {_TYPES[desired]}, not {_shown(instance)}"
    if desired == "string" and isinstance(instance, bool):
        return f"{message}: YAML reads this word as true or false, so put it in quotes"
    if desired == "string" and isinstance(instance, (int, float)):
        example = HINTS.get(schema.get("pattern", ""), "")
        if not example:
            return f"{message}: YAML reads this as a number, so put it in quotes"
        return f'{message}: put it in quotes, "{instance}" ({example})'
    if desired == "integer" and isinstance(instance, str) and instance.isdecimal():
        return f"{message}: write it without quotes"
    return message


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
