"""The vocabulary that the kinds share: names, durations, quantities, and what a field does without a cluster.

Every schema field says what the local driver makes of it (`slipway dev`), so that "the same YAML" is a statement that
the reference shows and a test demands.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""RFC 1035 label: what Kubernetes wants of a Service, so of everything that a Service is named after."""
NAME_MAX = 40
"""Characters in an object's name, so that a revision's suffix still fits a 63-character label."""
DURATION_PATTERN = "^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$"
QUANTITY_PATTERN = "^[1-9][0-9]{0,14}(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
SCORE_PATTERN = r"^(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$"
CONFIG_MAP_NAME_PATTERN = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


class Local(StrEnum):
    """What the local driver does with a field."""

    SAME = "same"
    EMULATED = "emulated"
    IGNORED = "ignored-with-warning"
    REFUSED = "refused"


def local(behaviour: Local, statement: str) -> dict[str, Any]:
    """Schema extras for a field: how the local driver treats it, and in one sentence what that means."""
    return {"x-slipway-local": {"behaviour": behaviour.value, "statement": statement}}


@dataclass(frozen=True)
class Rule:
    """A CEL validation rule and its Python twin.

    `cel` sees the object it is attached to as `self`; `holds` gets the same object as plain data with CRD defaults
    filled in. Both must give the same verdict for every manifest (a test compares them).
    `field` is the path, relative to the object, that the message is about.
    """

    cel: str
    message: str
    holds: Callable[[Mapping[str, Any]], bool]
    field: str = ""


class SpecModel(BaseModel):
    """Base of everything under `spec`: unknown fields are errors, and rules hang on the class."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    rules: ClassVar[tuple[Rule, ...]] = ()


Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX, pattern=NAME_PATTERN)]
ConfigMapName = Annotated[str, Field(min_length=1, max_length=253, pattern=CONFIG_MAP_NAME_PATTERN)]
Duration = Annotated[str, Field(min_length=2, max_length=18, pattern=DURATION_PATTERN)]
Quantity = Annotated[str, Field(min_length=1, max_length=18, pattern=QUANTITY_PATTERN)]
Score = Annotated[str, Field(min_length=1, max_length=6, pattern=SCORE_PATTERN)]


def parse_duration(text: str) -> timedelta:
    """`1h30m`, `30s` and the like as a timedelta.

    Raises:
        ValueError: if the text is not a duration.
    """
    match = re.fullmatch(DURATION_PATTERN.strip("^$"), text)
    if not match or not text:
        raise ValueError(f"{text!r} is not a duration: write it like 30s, 5m or 24h")
    hours, minutes, seconds = (int(group[:-1]) if group else 0 for group in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
