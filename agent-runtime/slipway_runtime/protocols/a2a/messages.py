"""Messages of clients: as questions, and as answers to what a run waits for."""

import base64
from collections.abc import Mapping
from typing import Any

import orjson
from a2a.types.a2a_pb2 import Message
from a2a.types.a2a_pb2 import Part as WirePart
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from google.protobuf.json_format import MessageToDict

from slipway_runtime.events import InputRequired
from slipway_runtime.protocols.ask import Ask, DataPart, ImagePart, Part, TextPart
from slipway_runtime.protocols.asked import InputBody
from slipway_runtime.protocols.images import NotAnImage, TooManyPixels, read_data_url

ABOUT = "slipway/a2a"
"""Key of `Ask.metadata` that no client can give: the ids of the message and its context."""
ID_LENGTH = 256
"""Characters in an id of a client's."""
YES = frozenset(("yes", "y", "ok", "approve", "approved", "go on", "true"))
NO = frozenset(("no", "n", "deny", "denied", "decline", "declined", "reject", "rejected", "false"))


def about(message: Message, *, context: str) -> Mapping[str, Any]:
    """What a run's metadata has of the message that began it."""
    return {ABOUT: {"context": context, "message": message.message_id}}


def check_ids(message: Message) -> None:
    """See that ids are ones to keep. Raises InvalidParamsError."""
    for name in ("message_id", "context_id"):
        value = getattr(message, name)
        if len(value) > ID_LENGTH or not (value or "x").isprintable():
            raise InvalidParamsError(f"{name} may have at most {ID_LENGTH} characters, all of them visible.")


def question(message: Message, *, context: str) -> Ask:
    """What a message asks.

    Raises:
        InvalidParamsError: for one that says nothing.
        ContentTypeNotSupportedError: for parts that no agent takes.
    """
    parts = tuple(_part(part) for part in message.parts)
    if all(isinstance(part, TextPart) and not part.text.strip() for part in parts):
        raise InvalidParamsError("The message says nothing: send a part with text.")
    return Ask(parts=parts, metadata=about(message, context=context))


def _part(part: WirePart) -> Part:
    match part.WhichOneof("content"):
        case "text":
            return TextPart(text=part.text.replace("\0", ""))
        case "data":
            data = MessageToDict(part.data)
            return DataPart(data=data if isinstance(data, dict) else {"value": data})
        case "raw":
            return _file(part)
        case "url":
            raise ContentTypeNotSupportedError("No URL is fetched: send the file itself as `raw`.")
        case _:
            raise InvalidParamsError("A part has `text`, `data` or `raw`.")


def _file(part: WirePart) -> TextPart | ImagePart:
    kind = part.media_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind == "application/json":
        try:
            return TextPart(text=part.raw.decode().replace("\0", ""))
        except UnicodeDecodeError:
            raise InvalidParamsError(f"The file of the type {kind[:64]} is not UTF-8.") from None
    try:
        return read_data_url(f"data:{kind};base64,{base64.b64encode(part.raw).decode()}")
    except TooManyPixels as error:
        raise InvalidParamsError(f"{error}.") from None
    except NotAnImage:
        raise ContentTypeNotSupportedError(
            f"Files of the type {kind[:64] or 'unknown'} are not taken: send text, JSON, or a picture (png, jpeg, gif, "
            "webp), and its type in mediaType."
        ) from None


def answer(message: Message, asked: InputRequired) -> InputBody:
    """What a message answers to an input that a run waits for.

    Raises:
        InvalidParamsError: if it does not say; the text says what to send.
    """
    data, text = _data(message), text_of(message)
    if asked.kind == "approval":
        return InputBody(approved=approval(message))
    if data is not None and set(data) == {"approved"} and data["approved"] is False:
        return InputBody(approved=False)
    if data is not None:
        return InputBody(answer=data)
    return InputBody(answer=_from_text(text, asked))


def text_of(message: Message) -> str:
    """What a message says in words."""
    return "\n".join(part.text for part in message.parts if part.WhichOneof("content") == "text").strip()


def approval(message: Message) -> bool:
    """Whether a message approves what is asked. Raises InvalidParamsError if it does not say."""
    data, text = _data(message), text_of(message)
    given = (data or {}).get("approved")
    if isinstance(given, bool):
        return given
    word = text.casefold().strip(" .!")
    if data is None and word in YES | NO:
        return word in YES
    raise InvalidParamsError('The task waits for an approval: send a data part {"approved": true} or false.')


def _data(message: Message) -> dict[str, Any] | None:
    found = [MessageToDict(part.data) for part in message.parts if part.WhichOneof("content") == "data"]
    return found[-1] if found and isinstance(found[-1], dict) else None


def _from_text(text: str, asked: InputRequired) -> dict[str, Any]:
    """A text as an answer: a JSON object, or the value of the one field that is asked for."""
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = None
    if isinstance(read, dict):
        return read
    properties = (asked.answer_schema or {}).get("properties")
    if not isinstance(properties, Mapping):
        return {"text": text}
    if len(properties) == 1:
        (name, schema), *_ = properties.items()
        if isinstance(schema, Mapping) and schema.get("type", "string") == "string":
            return {str(name): text}
    raise InvalidParamsError(
        f"The task waits for an object: send a data part with {', '.join(map(str, properties))[:500]}."
    )
