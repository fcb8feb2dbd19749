"""The questions that a build of an index has to find documents for: a YAML list in a ConfigMap of the user's."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

LARGEST = 1000
FORM = "write a list of entries with `question` and `documents`, the names of documents any of which is right"


class AcceptanceCasesInvalid(ValueError):
    """The cases of an index cannot be used; the message says where and what to write."""


class AcceptanceCase(BaseModel):
    """A question, and where its answer is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    question: Annotated[str, Field(min_length=1, max_length=2000)]
    documents: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1, max_length=100)]
    """Names of documents as citations have them; any of them is right."""


_CASES = TypeAdapter(Annotated[tuple[AcceptanceCase, ...], Field(min_length=1, max_length=LARGEST)])


def parse_acceptance_cases(name: str, content: bytes | None) -> tuple[AcceptanceCase, ...]:
    """The cases in a YAML text.

    Args:
        name: `CONFIGMAP/KEY`.
        content: what is there; None: nothing.

    Raises:
        AcceptanceCasesInvalid: if there are none, or if they are something else.
    """
    config_map, _, key = name.partition("/")
    if content is None:
        raise AcceptanceCasesInvalid(f"spec.acceptance.cases: the ConfigMap {config_map} has no key {key}: {FORM}")
    try:
        return _CASES.validate_python(yaml.safe_load(content))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise AcceptanceCasesInvalid(f"spec.acceptance.cases: {name} is no YAML: {words}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = f"{name}{f' at {place}' if place else ''}: {first['msg']}"
        raise AcceptanceCasesInvalid(f"spec.acceptance.cases: {said}; {FORM}") from error


def read_acceptance_cases(folder: Path, name: str | None) -> tuple[AcceptanceCase, ...]:
    """The cases that are mounted.

    Args:
        folder: with a file for each key of the ConfigMap.
        name: `CONFIGMAP/KEY`; None: there are none.

    Raises:
        AcceptanceCasesInvalid: if they cannot be read or used.
    """
    if name is None:
        return ()
    file = folder / name.partition("/")[2]
    return parse_acceptance_cases(name, file.read_bytes() if file.is_file() else None)
