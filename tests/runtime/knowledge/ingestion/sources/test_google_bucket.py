"""Objects of Google Cloud Storage, read by the real client from a loopback server with the service's XML interface.

Contract-tested, not verified live. What is asked and answered is in https://cloud.google.com/storage/docs/xml-api.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway_crds.contract import SOURCE_CREDENTIALS_FILE
from slipway_crds.sourceconfig import BucketConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources import SourceUnavailable
from slipway_runtime.knowledge.ingestion.sources.bucket import Bucket
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer

PAGE = """<?xml version='1.0' encoding='UTF-8'?>
<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Name>team</Name>{more}
<Contents><Key>{key}</Key><Generation>1</Generation><MetaGeneration>1</MetaGeneration>
<LastModified>2026-11-30T10:00:00.000Z</LastModified><ETag>"{key}-1"</ETag><Size>4</Size></Contents></ListBucketResult>"""


class GoogleStorage:
    """A bucket `team`, listed one object a page."""

    def __init__(self) -> None:
        self.objects = {"handbook/tea.md": b"Tea.", "handbook/zoo.md": b"Zoo."}
        self.status = 200
        app = web.Application()
        app.router.add_get("/team", self._list)
        app.router.add_get("/team/{name:.+}", self._get)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def _list(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status)
        asked = (request.query["list-type"], request.query["prefix"], request.headers.get("Authorization"))
        assert asked == ("2", "handbook/", None)
        names = sorted(self.objects)
        number = names.index(request.query.get("continuation-token", names[0]))
        rest = names[number + 1 :]
        more = (
            f"<IsTruncated>true</IsTruncated><NextContinuationToken>{rest[0]}</NextContinuationToken>" if rest else ""
        )
        return web.Response(text=PAGE.format(key=names[number], more=more), content_type="application/xml")

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        headers = {"x-goog-meta-author": "Rosa", "ETag": '"1"', "Last-Modified": "Mon, 30 Nov 2026 10:00:00 GMT"}
        return web.Response(body=self.objects[name], headers=headers, content_type="text/markdown")


@pytest.fixture
async def storage() -> AsyncIterator[GoogleStorage]:
    made = GoogleStorage()
    await made.server.start_server()
    yield made
    await made.server.close()


def bucket(folder: Path, endpoint: str | None, *, credentials: str = "", reach: AddressRule | None = None) -> Bucket:
    (folder / SOURCE_CREDENTIALS_FILE).write_text(credentials)
    made = BucketConfig(
        provider="gcs", bucket="team", prefix="handbook/", endpoint=endpoint, credentials=bool(credentials)
    )
    place = SourceServer(reach or AddressRule(loopback=True), folder, signed_in=bool(credentials))
    return Bucket("docs", made, place)


async def test_objects_of_all_pages_are_documents_with_their_metadata(storage: GoogleStorage, tmp_path: Path) -> None:
    source = bucket(tmp_path, storage.url)
    refs = [ref async for ref in source.list()]
    assert [ref.name for ref in refs] == ["handbook/tea.md", "handbook/zoo.md"]
    assert refs[0].version == '"handbook/tea.md-1" 2026-11-30T10:00:00+00:00'
    loaded = await source.load(refs[0])
    assert (loaded.content, loaded.ref.content_type, loaded.ref.metadata) == (
        b"Tea.",
        "text/markdown",
        {"author": "Rosa"},
    )


@pytest.mark.parametrize(
    ("status", "words"), [(401, "refused the credentials"), (404, r"no such bucket: correct objectStore\.bucket")]
)
async def test_a_bucket_that_may_not_be_read_says_what_to_write(
    storage: GoogleStorage, tmp_path: Path, status: int, words: str
) -> None:
    storage.status = status
    with pytest.raises(SourceUnavailable, match=words):
        [ref async for ref in bucket(tmp_path, storage.url).list()]


async def test_a_key_leads_to_no_address_of_its_own(storage: GoogleStorage, tmp_path: Path) -> None:
    names_another = {"gcs_base_url": storage.url, "disable_oauth": True, "private_key_id": ""}
    key = json.dumps({**names_another, "client_email": "", "private_key": ""})
    with pytest.raises(SourceUnavailable):
        [ref async for ref in bucket(tmp_path, "http://127.0.0.1:9", credentials=key).list()]
    with pytest.raises(SourceUnavailable, match="cannot be reached or refuses"):
        [ref async for ref in bucket(tmp_path, storage.url, credentials="nonsense").list()]
