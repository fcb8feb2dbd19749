"""Bodies in the encodings that clients use."""

import gzip
import json

import pytest

from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.bodies import RepeatedKey, read_json, read_unique_json

QUESTION = {"question": "Wie hoch ist die Gebühr für Gäste? 🚢"}
TEXT = json.dumps(QUESTION, ensure_ascii=False)
JSON = "application/json"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
@pytest.mark.parametrize("charset", ["", '; charset="UTF-8"', "; charset=utf-16; x=y", "; charset=utf8"])
def test_every_unicode_encoding_is_read(encoding: str, charset: str) -> None:
    assert read_json(TEXT.encode(encoding), {"content-type": JSON + charset}) == QUESTION


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_the_media_type_does_not_matter(kind: str) -> None:
    assert read_json(TEXT.encode(), {"content-type": kind, "content-encoding": "identity"}) == QUESTION


@pytest.mark.parametrize(
    ("body", "headers", "named"),
    [
        (TEXT.replace("🚢", "").encode("latin-1"), {"content-type": JSON}, "Latin-1"),
        (b'{"question": "x"}', {"content-type": f"{JSON}; charset=ISO-8859-1"}, "ISO-8859-1"),
        (b'{"question": "x"}', {"content-type": f"{JSON}; charset=no-such"}, "no-such"),
        (b'{"question": "x"}', {"content-type": f"{JSON}; charset=gzip"}, "gzip"),
        (b'{"question": "x"}', {"content-type": f"{JSON}; charset=x\0y"}, "x"),
        (gzip.compress(TEXT.encode(), mtime=0), {"content-encoding": "gzip"}, "gzip"),
        (gzip.compress(TEXT.encode(), mtime=0), {}, "gzip"),
        (b"anything", {"content-encoding": "br"}, "br"),
        (b"anything", {"content-encoding": "identity, br"}, "br"),
        (b'{"question": "' + "x".encode("utf-16") + b'"}', {}, "UTF-8"),
        ("\ufeff".encode("utf-16-le") + b"{", {}, "UTF-16"),
    ],
)
def test_what_is_not_read_is_named(body: bytes, headers: dict[str, str], named: str) -> None:
    with pytest.raises(Problem) as refused:
        read_json(body, headers)
    assert (refused.value.status, refused.value.reason) == (415, "UnsupportedEncoding")
    assert named in refused.value.detail
    assert "Send the JSON as UTF-8" in refused.value.detail
    refused.value.body()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'{"question": "tides \ud83d"}', {"question": "tides \ufffd"}),
        (r'{"question": "\udea2 tides"}', {"question": "\ufffd tides"}),
        (r'{"question": "\ud83d\udea2"}', {"question": "🚢"}),
        (r'{"question": "\\ud83d \ud83d\udea2 \ud83d"}', {"question": "\\ud83d 🚢 \ufffd"}),
        (r'{"\ud83d": 1}', {"\ufffd": 1}),
    ],
)
def test_half_a_character_is_replaced(written: str, read: object) -> None:
    assert read_json(written.encode(), {}) == read


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b'{"a": NaN}', b"[" * 60_000, b"1" * 60_000, rb'{"q": "\ud83d"', b"\xff\xfe"]
)
def test_what_is_no_json_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_json(body, {})
    assert (refused.value.status, refused.value.reason) == (400, "InvalidJSON")


LONG_TEXT = '"' + "a, [{:" * 200_000 + '"'


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (LONG_TEXT, True),
        ("[" + "1," * 190_000 + "1]", True),
        ("[" + "1," * 210_000 + "1]", False),
        ("[" + "[]," * 110_000 + "[]]", False),
        ('["' + '\\\\\\"' * 100_000 + '",' + "1," * 210_000 + "1]", False),
        ('""' * 500_000, False),
    ],
    ids=["one string", "many values", "too many", "too many lists", "after quotes", "too many strings"],
)
def test_values_are_counted_before_they_are_made(text: str, fits: bool) -> None:
    if fits:
        assert read_json(text.encode(), {}) == json.loads(text)
        return
    with pytest.raises(Problem) as caught:
        read_json(text.encode(), {})
    assert caught.value.reason is Reason.QUESTION_TOO_LARGE


@pytest.mark.parametrize("piece", ['"', '"\\', '\\"'])
def test_a_body_that_is_no_json_is_read_once(piece: str) -> None:
    with pytest.raises(Problem):
        read_json(piece.encode() * 1_000_000, {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_key_that_is_there_twice_is_refused_at_any_depth(encoding: str) -> None:
    assert read_unique_json('{"a": [{"b": 1}, {"b": 2}]}'.encode(encoding), {}) == {"a": [{"b": 1}, {"b": 2}]}
    for text in ('{"a": 1, "a": 1}', '{"a": [{"b": 1, "\\u0062": 2}]}'):
        with pytest.raises(RepeatedKey):
            read_unique_json(text.encode(encoding), {})


def test_what_is_too_deep_for_one_of_two_parsers_is_no_json() -> None:
    with pytest.raises(Problem) as refused:
        read_unique_json(b"[" * 1020 + b"]" * 1020, {}, send="Send less.")
    assert (refused.value.reason, refused.value.detail) == (Reason.INVALID_JSON, "Send less.")
