"""The paths of documents that people upload, for the indexes that a host's agents read."""

import re
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_crds.contract import DOCUMENT_BYTES
from slipway_crds.runtimeconfig import IngestConfig, UploadsConfig
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.host.run_paths import read_body
from slipway_runtime.identity import Caller
from slipway_runtime.knowledge.ingestion.attributes import bounded
from slipway_runtime.knowledge.ingestion.uploads import upload_version
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.uploads import FORM_BYTES
from slipway_runtime.store.pointers import read_pointer
from slipway_runtime.store.uploads import (
    UPLOADS_MAX,
    NewUpload,
    Upload,
    delete_upload,
    list_uploads,
    put_upload,
    read_upload,
)

FILE, METADATA = "file", "metadata"
"""Fields of the form."""
NAME_MAX = 255
METADATA_BYTES = 16 * 1024
TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(;[ \w.+=-]{0,100})?", re.ASCII)


class _Form(MultiPartParser):
    spool_max_size = 2 * DOCUMENT_BYTES  # a pod's file system is read-only
    max_part_size = METADATA_BYTES


async def upload(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Keep a document. It is pending until a host that reads the index has embedded it."""
    index = await _index(host, hosted, caller, request)
    name, content_type, content, metadata = await _read(request)
    new = NewUpload(
        id=uuid.uuid4().hex,
        name=name,
        content_type=content_type,
        metadata=metadata,
        version=upload_version(content, content_type, metadata),
        content=content,
        uploaded_by=caller.owner,
    )
    id_ = await put_upload(host.database, index, new)
    if id_ is None:
        raise Problem(Reason.INVALID_REQUEST, f"An index takes {UPLOADS_MAX} uploads: remove some first.")
    host.uploads.wake()
    return JSONResponse({"id": id_, "name": name, "state": "pending"}, status_code=202)


async def list_all(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """The documents that were uploaded, by name."""
    index = await _index(host, hosted, caller, request)
    after = request.query_params.get("after", "")
    found = await list_uploads(host.database, index, after=after)
    return JSONResponse({"documents": [_json(each) for each in found]})


async def read(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """One document."""
    index = await _index(host, hosted, caller, request)
    found = await read_upload(host.database, index, request.path_params["document"])
    if found is None:
        raise _no_document()
    return JSONResponse(_json(found))


async def remove(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> Response:
    """Remove a document. It leaves the index a moment later."""
    index = await _index(host, hosted, caller, request)
    if not await delete_upload(host.database, index, request.path_params["document"]):
        raise _no_document()
    host.uploads.wake()
    return Response(status_code=204)


async def _index(host: Host, hosted: HostedAgent, caller: Caller, request: Request) -> str:
    """The index, which the agent reads and the caller may upload to.

    Raises:
        Problem: in the same words whether there is none, it takes no uploads or the caller may not.
    """
    name = request.path_params["index"]
    index = f"{hosted.config.namespace}/{name}"
    reads = any(entry.index == name for entry in hosted.config.knowledge)
    pointer = await read_pointer(host.database, index) if reads else None
    config = IngestConfig.model_validate_json(pointer.config) if pointer and pointer.config else None
    if config is None or config.uploads is None or not (host.everyone_uploads or _may(config.uploads, caller)):
        raise no_such_index()
    return index


def _may(uploads: UploadsConfig, caller: Caller) -> bool:
    return uploads.groups is None or not set(uploads.groups).isdisjoint(caller.groups)


def no_such_index() -> Problem:
    """There is no such index for this caller."""
    return Problem(
        Reason.NOT_FOUND,
        "There is no such index that takes documents of yours: see spec.uploads of the VectorIndex, and whether it is "
        "Ready and read by an agent.",
    )


def _no_document() -> Problem:
    return Problem(Reason.NOT_FOUND, "There is no such document: GET .../documents lists what there is.")


async def _read(request: Request) -> tuple[str, str, bytes, str]:
    """Name, content type, content and metadata (JSON) of what is uploaded. Raises Problem."""
    body = await read_body(request, limit=FORM_BYTES)

    async def stream() -> AsyncGenerator[bytes]:
        yield body

    try:
        form = await _Form(request.headers, stream(), max_files=1, max_fields=2).parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:
        raise _invalid(f"The body is no form: {error}. Send multipart/form-data with a field `{FILE}`.") from None
    try:
        file = form.get(FILE)
        if not isinstance(file, UploadFile):
            raise _invalid(f"The form has no file in the field `{FILE}`.")
        name, kind, content = file.filename or "", file.content_type or "", await file.read()
        given = form.get(METADATA)
    finally:
        await form.close()
    if len(content) > DOCUMENT_BYTES:
        raise Problem(Reason.QUESTION_TOO_LARGE, f"A document may have {DOCUMENT_BYTES // 1024**2} MiB: split it.")
    if not name.strip() or len(name) > NAME_MAX or not name.isprintable():
        raise _invalid(f"The file's name must have 1 to {NAME_MAX} printable characters.")
    return name, kind if TYPE.fullmatch(kind) else "", content, _metadata(given)


def _metadata(given: Any) -> str:
    """The field as JSON. Raises Problem."""
    if given is None:
        return "{}"
    try:
        found = orjson.loads(given if isinstance(given, str) else b"")
    except orjson.JSONDecodeError:
        raise _invalid(f"`{METADATA}` must be a JSON object.") from None
    if not isinstance(found, dict):
        raise _invalid(f"`{METADATA}` must be a JSON object.")
    kept, reasons = bounded(found)
    if reasons:
        raise _invalid(f"`{METADATA}`: {'; '.join(reasons[:5])}.")
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


def _invalid(detail: str) -> Problem:
    return Problem(Reason.INVALID_REQUEST, detail)


def _json(upload: Upload) -> dict[str, object]:
    found: dict[str, object] = {
        "id": upload.id,
        "name": upload.name,
        "state": upload.state,
        "size": upload.size,
        "content_type": upload.content_type or None,
        "metadata": orjson.loads(upload.metadata),
        "reason": upload.reason,
        "created": upload.created,
    }
    return {name: value for name, value in found.items() if value is not None}
