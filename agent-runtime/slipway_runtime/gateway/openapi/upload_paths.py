"""The operations of the paths of documents that people upload, and their bodies."""

from typing import Any, Literal

from slipway_runtime.gateway.openapi.bodies import RUN_ID, Body, example
from slipway_runtime.gateway.openapi.operations import Operation, answer
from slipway_runtime.gateway.openapi.parameters import path_parameter
from slipway_runtime.gateway.openapi.problems import OF_THE_LIST
from slipway_runtime.problems import Reason

INDEX = (
    path_parameter("namespace", "The index's namespace.", example="demo"),
    path_parameter("index", "The index's name.", example="handbook"),
)
DOCUMENT = (*INDEX, path_parameter("document", "The document's id.", example=RUN_ID))
OF_UPLOADS = (
    *OF_THE_LIST,
    *(Reason.NOT_FOUND, Reason.INVALID_ANSWER, Reason.NO_POD_READY, Reason.STORE_UNAVAILABLE, Reason.REQUEST_TIMEOUT),
)
STATES = Literal["pending", "embedded", "failed"]


class UploadTaken(Body):
    """A document that is kept and will be embedded."""

    model_config = example(id=RUN_ID, name="manual.pdf", state="pending")
    id: str
    name: str
    state: STATES


class UploadedDocument(Body):
    """A document that was uploaded."""

    model_config = example(
        id=RUN_ID,
        name="manual.pdf",
        state="embedded",
        size=48213,
        content_type="application/pdf",
        metadata={"team": "water"},
        created=1767139200.5,
    )
    id: str
    name: str
    state: STATES
    size: int
    """Bytes."""
    content_type: str | None = None
    metadata: dict[str, Any]
    reason: str | None = None
    """Why it failed."""
    created: float
    """Seconds since 1970."""


class UploadList(Body):
    """The documents that were uploaded, by name, at most a thousand."""

    model_config = example(
        documents=[
            {"id": RUN_ID, "name": "a.md", "state": "pending", "size": 12, "metadata": {}, "created": 1767139200.5}
        ]
    )
    documents: list[UploadedDocument]


UPLOAD = Operation(
    id="uploadDocument",
    summary="Upload a document to an index",
    tag="Documents",
    description="A form with the file, of at most 20 MiB, and optionally its metadata. A document replaces the one of "
    "the same name. It is searchable some seconds later.",
    parameters=INDEX,
    form={
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {"type": "string", "format": "binary"},
                "metadata": {"type": "string", "description": "A JSON object: what searches can be narrowed by."},
            },
        },
        "example": {"file": "Basins are cleaned in spring.", "metadata": '{"team": "water"}'},
    },
    answers={202: answer(UploadTaken, "The document is kept.")},
    reasons=(*OF_UPLOADS, Reason.INVALID_REQUEST, Reason.QUESTION_TOO_LARGE),
)
LIST_UPLOADS = Operation(
    id="listDocuments",
    summary="List the documents that were uploaded to an index",
    tag="Documents",
    parameters=(
        *INDEX,
        {
            "in": "query",
            "name": "after",
            "required": False,
            "description": "The name of the last document of the page before.",
            "schema": {"type": "string"},
            "example": "manual.pdf",
        },
    ),
    answers={200: answer(UploadList, "The documents.")},
    reasons=OF_UPLOADS,
)
READ_UPLOAD = Operation(
    id="readDocument",
    summary="Read what became of a document that was uploaded",
    tag="Documents",
    parameters=DOCUMENT,
    answers={200: answer(UploadedDocument, "The document.")},
    reasons=OF_UPLOADS,
)
REMOVE_UPLOAD = Operation(
    id="removeDocument",
    summary="Remove a document that was uploaded",
    tag="Documents",
    parameters=DOCUMENT,
    answers={204: {"description": "It is removed, and leaves the index some seconds later."}},
    reasons=OF_UPLOADS,
)
