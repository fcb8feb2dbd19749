"""Pages of a web site, read from a loopback server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway_crds.contract import SOURCE_HEADER_PREFIX
from slipway_crds.sourceconfig import PagesConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources import SourceUnavailable
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer
from slipway_runtime.knowledge.ingestion.sources.web import WebPages

SITEMAP = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{}</urlset>"


class Site:
    """A site whose pages tests change."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.redirects: dict[str, str] = {}
        self.sent: list[str] = []
        self.key = ""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self.server = TestServer(app)

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))

    async def _answer(self, request: web.Request) -> web.Response:
        if self.key and request.headers.get("X-Key") != self.key:
            return web.Response(status=401)
        if request.path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[request.path]})
        text = self.pages.get(request.path)
        if text is None:
            return web.Response(status=404)
        etag = f'"{hash(text)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        self.sent.append(request.path)
        return web.Response(text=text, headers={"ETag": etag}, content_type="text/html")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.server.start_server()
    yield site
    await site.server.close()


def pages(tmp_path: Path, *, ca: bool = False, **config: object) -> WebPages:
    (tmp_path / "files").mkdir(exist_ok=True)
    server = SourceServer(AddressRule(loopback=True), tmp_path / "files", ca=ca)
    return WebPages("docs", PagesConfig.model_validate(config), server, tmp_path)


@pytest.mark.proves("VectorIndex.sources[].http.urls")
async def test_a_page_that_has_not_changed_is_not_sent_again(site: Site, tmp_path: Path) -> None:
    site.pages = {"/a": "one", "/b": "two"}
    source = pages(tmp_path, urls=(site.url("/a"), site.url("/b")))
    refs = [ref async for ref in source.list()]
    assert [(ref.name, ref.content_type) for ref in refs] == [(site.url(p), "text/html") for p in ("/a", "/b")]
    assert [(await source.load(ref)).content for ref in refs] == [b"one", b"two"]
    known = {ref.name: ref.version for ref in refs}
    site.sent.clear()
    site.pages["/b"] = "three"
    later = [ref async for ref in pages(tmp_path, urls=source.config.urls).list(known)]
    assert site.sent == ["/b"]
    assert [ref.version == known[ref.name] for ref in later] == [True, False]
    del site.pages["/b"]
    assert [ref.name async for ref in source.list(known)] == [site.url("/a")]


@pytest.mark.proves("VectorIndex.sources[].http.sitemap")
async def test_pages_of_a_sitemap_are_those_of_its_host(site: Site, tmp_path: Path) -> None:
    places = [site.url("/a"), "http://169.254.169.254/latest"]
    site.pages = {"/a": "one", "/sitemap.xml": SITEMAP.format("".join(f"<url><loc>{p}</loc></url>" for p in places))}
    source = pages(tmp_path, sitemap=site.url("/sitemap.xml"))
    assert [ref.name async for ref in source.list()] == [site.url("/a")]


async def test_redirects_are_followed_but_to_no_metadata_service(site: Site, tmp_path: Path) -> None:
    site.pages, site.redirects = {"/a": "one"}, {"/old": "/a", "/bad": "http://169.254.169.254/latest"}
    source = pages(tmp_path, urls=(site.url("/old"),))
    (ref,) = [ref async for ref in source.list()]
    assert (await source.load(ref)).content == b"one"
    with pytest.raises(SourceUnavailable, match=r"169\.254\.169\.254"):
        [ref async for ref in pages(tmp_path, urls=(site.url("/bad"),)).list()]


@pytest.mark.proves("VectorIndex.sources[].http.headers[].name")
async def test_a_header_opens_a_site(site: Site, tmp_path: Path) -> None:
    site.pages, site.key = {"/a": "one"}, "a-key"
    source = pages(tmp_path, urls=(site.url("/a"),), headers=("X-Key",))
    file = tmp_path / "files" / f"{SOURCE_HEADER_PREFIX}X-Key"
    file.write_text("wrong")
    with pytest.raises(SourceUnavailable, match="answers 401"):
        [ref async for ref in source.list()]
    file.write_text("a-key")
    assert len([ref async for ref in source.list()]) == 1
