"""Servers of sources behind a proxy that the source names."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway_crds.resolve import ingest_config
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources import DocumentSource, SourceUnavailable
from slipway_runtime.knowledge.ingestion.sources.opening import SourcePlaces, open_sources
from tests.support.git_server import GitServer, git_server
from tests.support.proxy import ForwardProxy, forward_proxy
from tests.support.resolving import index
from tests.support.self_signed import self_signed

OBJECTS = """<ListBucketResult><Contents><Key>tea.md</Key><Size>4</Size><ETag>1</ETag>
<LastModified>2026-11-30T10:00:00Z</LastModified></Contents></ListBucketResult>"""


@pytest.fixture
async def proxy() -> AsyncIterator[ForwardProxy]:
    async with forward_proxy() as made:
        yield made


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "git").mkdir()
    with git_server(tmp_path / "git") as server:
        server.commit("handbook", {"tea.md": "Tea."})
        yield server


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A page, and a bucket `team` for both kinds of object stores."""

    async def answer(request: web.Request) -> web.Response:
        bucket = "list-type" in request.query
        return web.Response(
            text=OBJECTS if bucket else "Tea.", content_type="application/xml" if bucket else "text/html"
        )

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def listed(source: dict[str, Any], folder: Path, reach: AddressRule) -> list[str]:
    """Names of the documents of one source, as a manifest has it."""
    config = ingest_config(index(sources=[{"name": "docs", **source}]))
    with open_sources(config, SourcePlaces(folders=folder, files=folder, reach=reach)) as opened:
        made: DocumentSource = opened[0]
        return [ref.name async for ref in made.list()]


@pytest.mark.proves(
    "VectorIndex.sources[].git.proxy", "VectorIndex.sources[].http.proxy", "VectorIndex.sources[].objectStore.proxy"
)
async def test_the_proxy_of_a_source_gets_its_requests(
    proxy: ForwardProxy, git: GitServer, site: str, tmp_path: Path
) -> None:
    at = {"bucket": "team", "endpoint": site, "proxy": proxy.url}
    for source, expected in (
        ({"git": {"url": git.url("handbook"), "proxy": proxy.url}}, "handbook.git/info/refs"),
        ({"http": {"urls": [f"{site}/tea.html"], "proxy": proxy.url}}, "tea.html"),
        ({"objectStore": {"provider": "s3", **at}}, "list-type=2"),
        ({"objectStore": {"provider": "gcs", **at}}, "list-type=2"),
    ):
        proxy.requests.clear()
        assert await listed(source, tmp_path, AddressRule(loopback=True))
        assert any(expected in line for line in proxy.requests), (source, proxy.requests)
        with pytest.raises(SourceUnavailable, match="this machine itself"):
            await listed(source, tmp_path, AddressRule())


async def test_a_server_with_tls_is_reached_through_a_tunnel(proxy: ForwardProxy, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    (tmp_path / "tls").mkdir()
    with git_server(tmp_path / "tls", tls=(certificate, key)) as server:
        server.commit("handbook", {"tea.md": "Tea."})
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "ca.crt").write_bytes(certificate.read_bytes())
        trusted = {"caBundleRef": {"name": "authorities", "key": "ca.crt"}}
        source = {"git": {"url": server.url("handbook"), "proxy": proxy.url, "tls": trusted}}
        assert await listed(source, tmp_path, AddressRule(loopback=True)) == ["tea.md"]
    assert proxy.requests[0].startswith(f"CONNECT {server.base.removeprefix('https://')} ")
