"""Services that search the web, each with its own request and answer.

Answers are read up to a size, and whatever is in them is text from strangers: it is cut, its markup is taken out, and
only `http` and `https` addresses are kept. A service's own error text is not repeated.
"""

import asyncio
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
    "tavily": _Service("https://api.tavily.com", "authorization", _tavily, _read_contents),
}


class WebSearcher:
    """Asks one service. It connects at the first search.

    Args:
        key: the key of the moment; None for none. It may raise KeyProblem.
    """

    def __init__(self, config: WebSearchConfig, key: Callable[[], str | None]) -> None:
        self._config = config
        self._service = SERVICES[config.provider]
        self._address = (config.base_url or self._service.address).rstrip("/")
        self._key = key
        self._http: httpx2.AsyncClient | None = None

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

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _once(self, query: str) -> list[WebResult]:
        if self._http is None:
            self._http = http_client(header=self._service.header, key=self._key, seconds=SILENCE_SECONDS, ca_file=None)
        try:
            response = await self._http.send(self._service.request(self._address, query), stream=True)
            try:
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
        elif status in (401, 403, 422):
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
