"""JSON bodies as clients send them: every Unicode encoding is read, and what is not read is refused by its name."""

import codecs
import json
import re
from collections.abc import Mapping, Sequence

import orjson

from slipway_runtime.problems import Problem, Reason

UNICODE = ("ascii", "utf-8", "utf-16", "utf-32")
COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How compressed bodies begin, whatever their headers say."""
SEND = "Send the JSON as UTF-8, with 'Content-Type: application/json; charset=utf-8' and no Content-Encoding."
LONG = 64 * 1024
"""Characters above which the values in a body are counted before they are made."""
VALUES_MAX = 200_000
"""Values in a body. Each takes about a hundred bytes, however short it is written."""
STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Each match begins where the one before ended, also in a text that is no JSON, so that one pass is enough."""
NAME_LENGTH = 40
"""Characters of a client's own word that an error repeats."""

CHAT = 'Send a JSON object as the body, for example {"question": "How do I begin?"}.'


class RepeatedKey(Problem):
    """An object in a body has a key twice."""

    def __init__(self) -> None:
        super().__init__(Reason.INVALID_REQUEST, "a key is in an object twice: leave one out")


def read_json(body: bytes, headers: Mapping[str, str], *, send: str = CHAT) -> object:
    """What a JSON body says. UTF-8, UTF-16 and UTF-32 are told apart as in RFC 4627, also without a byte order mark.

    A lone surrogate, which a client writes that cut an emoji in two, becomes U+FFFD: no store could take it.

    Args:
        send: the hint for a body that is not JSON.

    Raises:
        Problem: `UnsupportedEncoding`, `InvalidJSON`, or `QuestionTooLarge` for one of too many values.
    """
    _check_compression(body, headers.get("content-encoding", ""))
    _check_charset(headers.get("content-type", ""))
    text = _decoded(body)
    if len(text) > LONG:
        _check_values(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _with_lone_surrogates(text, send)


def read_unique_json(body: bytes, headers: Mapping[str, str], *, send: str = CHAT) -> object:
    """The same, where parsers must agree: they differ in which of two values they take, and so may whoever decides and
    whoever acts.

    Raises:
        RepeatedKey, and what `read_json` raises.
    """
    found = read_json(body, headers, send=send)
    try:
        json.loads(_decoded(body), object_pairs_hook=_unique)
    except RecursionError:
        raise Problem(Reason.INVALID_JSON, send) from None
    return found


def _unique(pairs: Sequence[tuple[str, object]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise RepeatedKey


def _check_compression(body: bytes, encoding: str) -> None:
    announced = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    found = [name for start, name in COMPRESSED.items() if body.startswith(start)]
    for name in announced or found:
        raise _unsupported(f"The body is compressed with {name[:NAME_LENGTH]}, which is not read.")


def _check_values(text: str) -> None:
    bare, strings = STRINGS.subn("", text, count=2 * VALUES_MAX + 1)
    if strings > 2 * VALUES_MAX or bare.count(",") + bare.count("[") + bare.count("{") > VALUES_MAX:
        raise Problem(Reason.QUESTION_TOO_LARGE, f"The body has more than {VALUES_MAX} values: send fewer messages.")


def _check_charset(content_type: str) -> None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and not _is_unicode(charset := value.strip().strip('"')):
            raise _unsupported(f"The body's charset is {charset[:NAME_LENGTH]}, which is not read.")


def _is_unicode(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name.startswith(UNICODE)
    except (LookupError, ValueError):
        return False


def _decoded(body: bytes) -> str:
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        guess = " It may be Latin-1 or Windows-1252." if encoding.startswith("utf-8") else ""
        raise _unsupported(
            f"The body is not {encoding.upper()}: byte 0x{body[error.start]:02X} at position {error.start} belongs to "
            f"no character.{guess}"
        ) from None


def _with_lone_surrogates(text: str, send: str) -> object:
    """The same for a text that the strict parser refuses: lone surrogates are the one thing that is forgiven."""
    try:
        lenient = json.dumps(json.loads(text), ensure_ascii=False)
        return orjson.loads(lenient.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError):
        raise Problem(Reason.INVALID_JSON, send) from None


def _unsupported(what: str) -> Problem:
    return Problem(Reason.UNSUPPORTED_ENCODING, f"{what} {SEND}")
