"""What callers send about runs apart from questions: answers to inputs, and what a list of runs is to have."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.bodies import read_json

WAIT = re.compile("([0-9]{1,3})s")
LONGEST_WAIT = 60


class InputBody(BaseModel):
    """An answer to an input. An approval has `approved`; what else is asked has an `answer`, or is denied."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    approved: bool | None = None
    answer: dict[str, Any] | None = None

    def renewed(self, grant: str | None) -> "HostInput":
        """The same as a gateway passes it on, with a new grant for the run."""
        return HostInput(approved=self.approved, answer=self.answer, grant=grant)


class HostInput(InputBody):
    """An answer to an input as hosts take it."""

    grant: str | None = None
    """For the run, of whoever gives the input: of use where that is the run's own caller."""
    renewed_grant: str | None = None
    """For the run, of its caller, whoever gives the input."""


AnyInput = TypeVar("AnyInput", bound=InputBody)


def parse_input(body: bytes, headers: Mapping[str, str], model: type[AnyInput]) -> AnyInput:
    """Read an answer to an input.

    Args:
        model: `InputBody` for what a client sends, `HostInput` for what a gateway does.

    Raises:
        Problem: `InvalidJSON`, `UnsupportedEncoding` or `InvalidRequest`.
    """
    try:
        given = model.model_validate(read_json(body, headers))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors())
        raise Problem(Reason.INVALID_REQUEST, f"{faults}. The fields are `approved` and `answer`.") from None
    if given.approved is None and given.answer is None:
        raise Problem(Reason.INVALID_REQUEST, 'Send {"approved": true}, {"approved": false} or {"answer": {...}}.')
    return given


def parse_wait(text: str | None) -> float:
    """Seconds that a question may wait for its session, from `?wait=30s`.

    Raises:
        Problem: `InvalidRequest`.
    """
    if text is None:
        return 0.0
    found = WAIT.fullmatch(text)
    if found is None or int(found[1]) > LONGEST_WAIT:
        raise Problem(Reason.INVALID_REQUEST, f"wait: write whole seconds up to {LONGEST_WAIT}, for example ?wait=30s.")
    return float(found[1])
