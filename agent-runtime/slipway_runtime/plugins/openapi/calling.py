"""Calling an operation: arguments into a request, and what the API answers into text for a model."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from slipway_runtime.addresses import ForbiddenAddress
from slipway_runtime.plugins.loaded import CALL_GRANT, CALL_KEY, Arguments, ToolAnswer
from slipway_runtime.plugins.openapi.operations import BODY, FORM, ApiOperation, ApiParameter
from slipway_runtime.plugins.server import Headers, ServerAccess, ServerFailed
from slipway_runtime.protocols.headers import GRANT_HEADER, IDEMPOTENCY_HEADER
from slipway_runtime.responses import InvalidAnswer, PodResponse

MOST_BYTES = 256 * 1024
"""Of an answer that are read; what follows is cut off."""
ERROR_CHARACTERS = 2000
_HTML = ("text/html", "application/xhtml+xml")


class WrongArguments(ValueError):
    """A model's arguments make no request; the text says why, for the model."""


@dataclass(frozen=True)
class ApiRequest:
    """What is sent."""

    method: str
    url: URL
    headers: Headers
    body: bytes | None


def request_of(operation: ApiOperation, arguments: Arguments, base: str) -> ApiRequest:
    """The request of a call.

    Raises:
        WrongArguments: if one is missing, unknown, or leads out of its place.
    """
    known = {each.argument for each in operation.parameters} | ({BODY} if operation.body_type else set())
    if unknown := sorted(arguments.keys() - known):
        raise WrongArguments(f"there is no argument {unknown[0][:64]}: the arguments are {', '.join(sorted(known))}")
    given = {each: arguments.get(each.argument) for each in operation.parameters}
    for each, value in given.items():
        if value is None and each.required:
            raise WrongArguments(f"the argument {each.argument} is missing")
    path, query, headers = operation.path, list[tuple[str, str]](), dict[str, str]()
    for each, value in given.items():
        if value is None:
            continue
        if each.place == "path":
            path = path.replace(f"{{{each.name}}}", quote(_joined(each, value), safe=","))
        elif each.place == "query":
            query += _pairs(each, value)
        else:
            headers[each.name] = _header(each, value)
    if any(part in (".", "..") for part in path.split("/")):
        raise WrongArguments("a part of the path must not be . or ..")
    body = _body(operation, arguments.get(BODY))
    if body is not None:
        headers["Content-Type"] = operation.body_type
    text = "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in query)
    url = f"{base.rstrip('/')}{path}" + (f"?{text}" if text else "")
    return ApiRequest(operation.method, URL(url, encoded=True), headers, body)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _joined(parameter: ApiParameter, value: Any) -> str:
    if parameter.style == "json":
        return orjson.dumps(value).decode()
    if isinstance(value, list):
        return ",".join(map(_text, value))
    if isinstance(value, Mapping):
        sign = "=" if parameter.explode else ","
        return ",".join(f"{name}{sign}{_text(each)}" for name, each in value.items())
    return _text(value)


def _pairs(parameter: ApiParameter, value: Any) -> list[tuple[str, str]]:
    name = parameter.name
    if isinstance(value, list) and parameter.style != "json" and parameter.explode:
        return [(name, _text(each)) for each in value]
    if isinstance(value, Mapping) and parameter.style == "deepObject":
        return [(f"{name}[{key}]", _text(each)) for key, each in value.items()]
    if isinstance(value, Mapping) and parameter.style == "form" and parameter.explode:
        return [(str(key), _text(each)) for key, each in value.items()]
    return [(name, _joined(parameter, value))]


def _header(parameter: ApiParameter, value: Any) -> str:
    text = _joined(parameter, value)
    if not text.isascii() or not text.isprintable():
        raise WrongArguments(f"the argument {parameter.argument} goes into a header: write one line of ASCII")
    return text


def _body(operation: ApiOperation, value: Any) -> bytes | None:
    if value is None:
        if operation.body_required:
            raise WrongArguments(f"the argument {BODY} is missing")
        return None
    if operation.body_type != FORM:
        return orjson.dumps(value)
    if not isinstance(value, Mapping):
        raise WrongArguments(f"the argument {BODY} must be an object")
    fields = [(str(key), each) for key, each in value.items()]
    pairs = [(key, _text(one)) for key, each in fields for one in (each if isinstance(each, list) else [each])]
    return "&".join(f"{quote(key, safe='')}={quote(text, safe='')}" for key, text in pairs).encode()


async def called(
    session: aiohttp.ClientSession, access: ServerAccess, asked: ApiRequest, *, seconds: float
) -> ToolAnswer:
    """What the API answers. Whatever goes wrong is an answer too, for the model."""
    try:
        if host := _literal(asked.url):
            access.reach.check(host, [host])
        headers = {"Accept": "application/json, text/*;q=0.5", **asked.headers, **access.headers()}
        if (key := CALL_KEY.get()) and IDEMPOTENCY_HEADER.lower() not in map(str.lower, headers):
            headers[IDEMPOTENCY_HEADER] = key
        if grant := CALL_GRANT.get():
            headers[GRANT_HEADER] = grant
        async with (
            asyncio.timeout(seconds),
            session.request(
                asked.method, asked.url, data=asked.body, headers=headers, allow_redirects=False
            ) as response,
        ):
            assert isinstance(response, PodResponse)  # see `new_session`
            body, cut = await _read(response)
            return answer_of(response.status, response.headers.get("Content-Type", ""), body, cut=cut)
    except TimeoutError:
        return ToolAnswer(f"the API gave no whole answer within {seconds:g} s", failed=True)
    except (ForbiddenAddress, ServerFailed) as error:
        return ToolAnswer(f"the API was not called: {error}", failed=True)
    except (aiohttp.ClientError, OSError, InvalidAnswer, ValueError) as error:
        return ToolAnswer(f"the API cannot be reached or broke off: {str(error)[:300]}", failed=True)


def _literal(url: URL) -> str:
    """The host if it is an address, which aiohttp does not resolve."""
    host = url.host or ""
    return host if ":" in host or re.fullmatch(r"[0-9.]+", host) else ""


async def _read(response: PodResponse) -> tuple[bytes, bool]:
    parts, size = [], 0
    while part := await response.some():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            response.close()
            return b"".join(parts)[:MOST_BYTES], True
    return b"".join(parts), False


def answer_of(status: int, content_type: str, body: bytes, *, cut: bool) -> ToolAnswer:
    """The text for a model about an HTTP response."""
    kind = content_type.partition(";")[0].strip().lower()
    if status >= 400:
        said = _decoded(body, kind)[:ERROR_CHARACTERS]
        return ToolAnswer(f"the API answered {status}: {said}".strip(), failed=True)
    if 300 <= status < 400:
        return ToolAnswer(f"the API leads elsewhere ({status}), which is not followed", failed=True)
    if not body:
        return ToolAnswer(f"done ({status})")
    is_json = kind == "application/json" or kind.endswith("+json")
    if not is_json and not kind.startswith("text/") and kind not in (*_HTML, "application/xml", ""):
        return ToolAnswer(f"the API answered with {kind[:100]}, which is no text", failed=True)
    text = _decoded(body, kind)
    if cut:
        return ToolAnswer(f"{text}\n[cut: the answer is longer than {MOST_BYTES // 1024} KiB]")
    return ToolAnswer(text, _object(body) if is_json else None)


def _decoded(body: bytes, kind: str) -> str:
    text = body.decode("utf-8", "replace")
    if kind not in _HTML:
        return text
    reader = _PageText()
    reader.feed(text)
    return " ".join(" ".join(reader.parts).split())


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


class _PageText(HTMLParser):
    """The words of a page, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
