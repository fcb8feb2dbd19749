"""What the document says of one method of one path, and how FastAPI takes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from slipway_runtime.gateway.openapi import problems
from slipway_runtime.gateway.openapi.parameters import Parameter
from slipway_runtime.gateway.openapi.schemas import ref
from slipway_runtime.problems import Reason

Json = Mapping[str, Any]
KEYS: Sequence[Json] = ({"apiKey": []}, {"bearer": []})
"""The ways to show a key, one of which is enough."""


def answer(model: type[BaseModel], description: str, **more: Any) -> Json:
    """A response whose body is JSON.

    Args:
        more: content of other media types.
    """
    return {"description": description, "content": {"application/json": {"schema": ref(model)}, **more}}


def body(model: type[BaseModel], **examples: object) -> Json:
    """A request's body of JSON, with examples by name."""
    return {"schema": ref(model), "examples": {name: {"value": value} for name, value in examples.items()}}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path.

    Args:
        id: the operation's name, in camel case: generated clients call their functions so.
        answers: the responses that are no errors, by status.
        reasons: of the errors.
        errors: makes the responses of the errors; a skin with errors of its own passes `as_answer` and `schema`.
        body: what the request's body is; None where there is none.
        form: the same of a form with files.
        open: no key is needed.
        head: HEAD is answered too.
    """

    id: str
    summary: str
    tag: str
    answers: Mapping[int, Json]
    reasons: Sequence[Reason]
    description: str = ""
    errors: Callable[[Sequence[Reason]], Mapping[int, Json]] = problems.responses
    parameters: Sequence[Parameter] = ()
    body: Json | None = None
    form: Json | None = None
    open: bool = False
    head: bool = False

    def options(self) -> dict[str, Any]:
        """What `FastAPI.add_api_route` takes besides path, endpoint and method."""
        first, *_ = self.answers
        return {
            "summary": self.summary,
            "description": self.description or None,
            "tags": [self.tag],
            "status_code": first,
            "response_description": self.answers[first]["description"],
            "response_class": Response,
            "response_model": None,
            "responses": dict(sorted({**self.errors(self.reasons), **self.answers}.items())),
            "operation_id": self.id,
            "openapi_extra": self._extra(),
        }

    def _extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = {} if self.open else {"security": list(KEYS)}
        if self.parameters:
            extra["parameters"] = list(self.parameters)
        if self.body:
            extra["requestBody"] = {"required": True, "content": {"application/json": self.body}}
        if self.form:
            extra["requestBody"] = {"required": True, "content": {"multipart/form-data": self.form}}
        return extra
