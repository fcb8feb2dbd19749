"""Documents that are pages of a web site. A page that has not changed since the last ingestion is not sent again."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
from lxml import etree

from slipway_crds.contract import SOURCE_HEADER_PREFIX
from slipway_crds.sourceconfig import PagesConfig
from slipway_runtime.addresses import AddressRule, ForbiddenAddress
from slipway_runtime.knowledge.ingestion.sources.contract import (
    MOST_BYTES,
    MOST_DOCUMENTS,
    NOTHING,
    DocumentRef,
    Gone,
    LoadedDocument,
    SourceUnavailable,
    content_version,
    too_large,
)
from slipway_runtime.knowledge.ingestion.sources.servers import CONNECT_SECONDS, SILENCE_SECONDS, SourceServer
from slipway_runtime.plugins.connection import new_session

REDIRECTS = 5
ETAG, MODIFIED = "etag ", "modified "
"""What versions begin with that servers gave."""
GONE = (404, 410)
PROXIED = AddressRule(loopback=True, private=True)
"""Where a proxy may be."""


@dataclass(frozen=True)
class _Page:
    """What a server answered. `content` is None where it is as before, or too large."""

    status: int
    version: str
    content_type: str | None
    content: bytes | None


@dataclass
class WebPages:
    """The pages of one site.

    Args:
        folder: where pages that changed are kept until they are loaded.
    """

    name: str
    config: PagesConfig
    server: SourceServer
    folder: Path
    _types: dict[str, str | None] = field(default_factory=dict)

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`. The name of a document is its address."""
        urls = self.config.urls or await self._sitemap(self.config.sitemap or "")
        for url in dict.fromkeys(urls):
            page = await self._get(url, known.get(url, ""))
            if page.status in GONE:
                continue
            if page.content is not None:
                await asyncio.to_thread(self._file(url).write_bytes, page.content)
            self._types[url] = page.content_type
            yield DocumentRef(self.name, url, page.version, page.content_type)

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        file = self._file(ref.name)
        if await asyncio.to_thread(file.exists):
            content = await asyncio.to_thread(file.read_bytes)
            return LoadedDocument(ref, content)
        page = await self._get(ref.name)
        if page.status in GONE:
            raise Gone("the page is not there any more")
        if page.content is None:
            raise too_large()
        return LoadedDocument(ref, page.content)

    def _file(self, url: str) -> Path:
        return self.folder / f"{self.name}-{hashlib.sha256(url.encode()).hexdigest()}"

    async def _sitemap(self, url: str) -> Sequence[str]:
        """The pages of a sitemap, or of the sitemaps that an index names, at the sitemap's host."""
        kind, found = await self._locations(url)
        if kind == "sitemapindex":
            found = [page for each in found[:MOST_DOCUMENTS] for page in (await self._locations(each))[1]]
        pages = [each for each in found if urlsplit(each).netloc == urlsplit(url).netloc]
        if len(pages) > MOST_DOCUMENTS:
            raise SourceUnavailable(f"http.sitemap has {len(pages)} pages, and at most {MOST_DOCUMENTS} are read")
        return pages

    async def _locations(self, url: str) -> tuple[str, Sequence[str]]:
        page = await self._get(url)
        if page.status in GONE or page.content is None:
            raise SourceUnavailable("there is no sitemap at http.sitemap, or it is too large: correct the address")
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        try:
            root = etree.fromstring(page.content, parser)
        except etree.XMLSyntaxError:
            raise SourceUnavailable("what is at http.sitemap is no sitemap: correct the address") from None
        found = [(each.text or "").strip() for each in root.iter("{*}loc")]
        return etree.QName(root).localname, [each for each in found if each.startswith(("http://", "https://"))]

    async def _get(self, url: str, version: str = "") -> _Page:
        """Ask for a page, if it is another one than that version of it."""
        headers = dict(self._headers())
        if version.startswith(ETAG):
            headers["If-None-Match"] = version.removeprefix(ETAG)
        elif version.startswith(MODIFIED):
            headers["If-Modified-Since"] = version.removeprefix(MODIFIED)
        at = url
        try:
            for _ in range(REDIRECTS + 1):
                same_host = urlsplit(at)[:2] == urlsplit(url)[:2]
                answer = await self._once(at, headers if same_host else {}, version)
                if isinstance(answer, _Page):
                    return answer
                at = urljoin(at, answer)
        except ForbiddenAddress as error:
            raise SourceUnavailable(str(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise SourceUnavailable(f"{url} cannot be reached ({type(error).__name__})") from error
        raise SourceUnavailable(f"{url} redirects more than {REDIRECTS} times: write the address of the page itself")

    async def _once(self, url: str, headers: Mapping[str, str], version: str) -> _Page | str:
        """The page, or where it is instead."""
        proxy = self.server.proxy(url)
        reach = PROXIED if proxy and self.server.own_proxy is None else self.server.reach
        if self.server.own_proxy is not None or proxy is None:
            await self.server.check(proxy or url)
        session = new_session(reach, timeout=SILENCE_SECONDS, connect_timeout=CONNECT_SECONDS, tls=self._tls)
        async with (
            session,
            session.get(url, headers=headers, proxy=proxy, allow_redirects=False) as response,
        ):
            if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                return response.headers["Location"]
            return await _page(url, response, version)

    def _tls(self) -> ssl.SSLContext:
        ca_file = self.server.ca_file()
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)

    def _headers(self) -> Mapping[str, str]:
        return {
            name: self.server.value(f"{SOURCE_HEADER_PREFIX}{name}", "http.headers") for name in self.config.headers
        }


async def _page(url: str, response: aiohttp.ClientResponse, version: str) -> _Page:
    if response.status in (401, 403):
        raise SourceUnavailable(
            f"{url} answers {response.status}: write what opens it into the Secrets that http.headers names"
        )
    if response.status == 304:
        return _Page(304, version, None, None)
    if response.status in GONE:
        return _Page(response.status, "", None, None)
    if response.status != 200:
        raise SourceUnavailable(f"{url} answers {response.status}: it is tried again")
    content: bytes | None = b""
    async for piece in response.content.iter_chunked(64 * 1024):
        content = (content or b"") + piece
        if len(content) > MOST_BYTES:
            content = None
            break
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    given = f"{ETAG}{etag}" if etag else f"{MODIFIED}{modified}" if modified else ""
    return _Page(200, given or content_version(content or b""), response.content_type, content)
