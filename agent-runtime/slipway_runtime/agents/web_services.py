"""Services that search the web, each with its own request and answer.

Answers are read up to a size, and whatever is in them is text from strangers: it is cut, its markup is taken out, and
only `http` and `https` addresses are kept. A service's own error text is not repeated.
"""

import asyncio
import html
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from slipway_crds.runtimeconfig import SearchProvider, WebSearchConfig
from slipway_runtime import retrying
from slipway_runtime.addresses import ForbiddenAddress
from slipway_runtime.models.connection import Header, KeyProblem, http_client
from slipway_runtime.models.failures import cause_of

MOST_RESULTS = 5
MOST_BYTES = 1024 * 1024
TITLE_CHARACTERS = 200
URL_CHARACTERS = 500
TEXT_CHARACTERS = 1_000
SILENCE_SECONDS = 8.0
SEARCH_SECONDS = 12.0
"""How long a search may take with all that is tried again."""
PATIENCE_SECONDS = 5.0
"""How long after its first failure a search is tried again."""
CHECKED_SECONDS = 300.0
"""How long a key counts as good without a request: Tavily answers ten questions about a key in ten minutes."""
REFUSED_SECONDS = 65.0
"""How long a key that was refused, or that could not be tried, is not tried again."""
CHECK_SECONDS = 5.0
REFUSALS = frozenset((401, 403, 422))
"""Statuses of a key that a service refuses."""
PASSING = frozenset((429, 500, 502, 503, 504))
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")


class SearchFailed(Exception):
    """The service gave no results. The text says why, and what to do."""


class _Passing(SearchFailed):
    """A failure that may be over at the next try."""


@dataclass(frozen=True)
class WebResult:
    """One page, as the service describes it."""

    title: str
    url: str
    text: str


@dataclass(frozen=True)
class _Service:
    """How a service is asked."""

    address: str
    """Its own; empty where every installation has another one."""
    header: Header
    request: Callable[[str, str], httpx2.Request]
    """Made from its address and a query."""
    read: Callable[[Mapping[str, Any]], Iterator[WebResult]]
    describe_key: str = ""
    """Path at its address that tells about a key for nothing; empty if there is none."""


def _searxng(address: str, query: str) -> httpx2.Request:
    return httpx2.Request("GET", f"{address}/search", params={"q": query, "format": "json"})


def _brave(address: str, query: str) -> httpx2.Request:
    params = {"q": query, "count": str(MOST_RESULTS), "text_decorations": "false"}
    return httpx2.Request("GET", f"{address}/res/v1/web/search", params=params, headers={"Accept": "application/json"})


def _tavily(address: str, query: str) -> httpx2.Request:
    body = {"query": query, "max_results": MOST_RESULTS, "search_depth": "basic"}
    return httpx2.Request("POST", f"{address}/search", json=body)


def _read_contents(answer: Mapping[str, Any]) -> Iterator[WebResult]:
    """SearXNG and Tavily describe a page alike."""
    for each in _objects(answer.get("results")):
        yield WebResult(_text(each, "title"), _text(each, "url"), _text(each, "content"))


def _read_brave(answer: Mapping[str, Any]) -> Iterator[WebResult]:
    web = answer.get("web")
    for each in _objects(web.get("results") if isinstance(web, dict) else None):
        yield WebResult(_text(each, "title"), _text(each, "url"), _text(each, "description"))


SERVICES: Mapping[SearchProvider, _Service] = {
    "searxng": _Service("", "authorization", _searxng, _read_contents),
    "brave": _Service("https://api.search.brave.com", "x-subscription-token", _brave, _read_brave),
    "tavily": _Service("https://api.tavily.com", "authorization", _tavily, _read_contents, "/usage"),
}


class WebSearcher:
    """Asks one service. It connects at the first search.

    Args:
        key: the key of the moment; None for none. It may raise KeyProblem.
        ca_file: PEM certificates of the authorities that sign the service's, instead of the ordinary ones.
    """

    def __init__(self, config: WebSearchConfig, key: Callable[[], str | None], *, ca_file: Path | None = None) -> None:
        self._config = config
        self._service = SERVICES[config.provider]
        self._address = (config.base_url or self._service.address).rstrip("/")
        self._key = key
        self._ca_file = ca_file
        self._http: httpx2.AsyncClient | None = None
        self._refused: str | None = None
        """The key that the service refused last."""
        self._checked: tuple[str, float] | None = None
        """The key that was tried last by itself, and when to try it again."""

    async def search(self, query: str) -> list[WebResult]:
        """The pages that the service finds, at most `MOST_RESULTS`.

        Raises:
            SearchFailed: if the service is down, refuses, or answers what cannot be read.
        """
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                return await retrying.retry(
                    lambda: self._once(query),
                    policy=retrying.WEB_SEARCH,
                    on=lambda error: isinstance(error, _Passing),
                    seconds=PATIENCE_SECONDS,
                )
        except TimeoutError:
            raise SearchFailed("the service did not answer in time") from None

    async def problem(self) -> str | None:
        """Why the web cannot be searched, as a sentence that says what to do; None if it can as far as known.

        That is a key that is missing or refused, or missing certificates. Brave tells nothing about a key for nothing,
        so what its last search got is reported.
        """
        try:
            self._client()
            key = self._key()
        except (KeyProblem, SearchFailed) as error:
            return f"the web search ({self._config.provider}): {error}"
        if key is not None and self._service.describe_key and self._is_due(key):
            await self._try_key(key)
        if key is None or key != self._refused:
            return None
        return (
            f"the web search ({self._config.provider}): the service refused the API key: write a valid key into the "
            "Secret that webSearch.apiKeyRef names"
        )

    def _is_due(self, key: str) -> bool:
        return self._checked is None or self._checked[0] != key or time.monotonic() >= self._checked[1]

    async def _try_key(self, key: str) -> None:
        """Ask for what the service tells about the key. A service that is down says nothing about it."""
        status = 0
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                response = await self._client().get(self._address + self._service.describe_key)
                status = response.status_code
        except (TimeoutError, httpx2.TransportError, KeyProblem):
            pass
        self._note(key, status)
        self._checked = key, time.monotonic() + (CHECKED_SECONDS if status == 200 else REFUSED_SECONDS)

    def _note(self, key: str | None, status: int) -> None:
        """Remember what a status says about the key."""
        if status == 200 and self._refused == key:
            self._refused = None
        elif status in REFUSALS:
            self._refused = key

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()

    def _client(self) -> httpx2.AsyncClient:
        """Raises SearchFailed if the certificates cannot be read."""
        if self._http is None:
            try:
                self._http = http_client(
                    header=self._service.header, key=self._key, seconds=SILENCE_SECONDS, ca_file=self._ca_file
                )
            except (OSError, ssl.SSLError):
                raise SearchFailed(
                    "its certificates are missing or cannot be read: create the ConfigMap that "
                    "webSearch.tls.caBundleRef names, with PEM certificates under its key"
                ) from None
        return self._http

    async def _once(self, query: str) -> list[WebResult]:
        try:
            key = self._key()
            response = await self._client().send(self._service.request(self._address, query), stream=True)
            try:
                self._note(key, response.status_code)
                self._check(response.status_code)
                answer = json.loads(await _bounded(response))
            finally:
                await response.aclose()
        except KeyProblem as error:
            raise SearchFailed(str(error)) from error
        except httpx2.TransportError as error:
            if forbidden := cause_of(error, ForbiddenAddress):
                raise SearchFailed(f"the service is not asked: {forbidden}") from error
            raise _Passing(f"the service cannot be reached ({type(error).__name__})") from error
        except (ValueError, RecursionError) as error:
            raise SearchFailed("the answer of the service cannot be read") from error
        if not isinstance(answer, dict):
            raise SearchFailed("the answer of the service cannot be read")
        found = (_cut(each) for each in self._service.read(answer))
        return [each for each in found if each.url.startswith(("http://", "https://"))][:MOST_RESULTS]

    def _check(self, status: int) -> None:
        if status == 200:
            return
        if status in PASSING:
            raise _Passing(f"the service answered {status}")
        if self._config.provider == "searxng" and status == 403:
            advice = "enable the format json in the settings of SearXNG (search.formats)"
        elif status in REFUSALS:
            advice = "check the key in the Secret that webSearch.apiKeyRef names"
        else:
            advice = "check webSearch.baseURL and the account at the provider"
        raise SearchFailed(f"the service answered {status}: {advice}")


async def _bounded(response: httpx2.Response) -> bytes:
    """A response's body. Raises ValueError for one that is too long."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MOST_BYTES:
            raise ValueError("the answer is too long")
    return bytes(body)


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    # JSON may have half of a surrogate pair, of which nothing can be stored
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _cut(result: WebResult) -> WebResult:
    return WebResult(
        title=_plain(result.title)[:TITLE_CHARACTERS],
        url="" if len(result.url) > URL_CHARACTERS else "".join(result.url.split()),
        text=_plain(result.text)[:TEXT_CHARACTERS],
    )


def _plain(text: str) -> str:
    """A text in one line, without markup."""
    return " ".join(html.unescape(_MARKUP.sub("", text[: 4 * TEXT_CHARACTERS])).split())
