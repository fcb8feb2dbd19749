"""Objects in buckets, read by the real client from a loopback S3."""

from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from slipway_crds.contract import SOURCE_CREDENTIALS_FILE
from slipway_crds.sourceconfig import BucketConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources import NotLoaded, SourceUnavailable
from slipway_runtime.knowledge.ingestion.sources import bucket as bucket_module
from slipway_runtime.knowledge.ingestion.sources.bucket import Bucket
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer

KEYS = "[default]\naws_access_key_id = an-id\naws_secret_access_key = a-secret\n"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str, request: pytest.FixtureRequest) -> S3Store:
    import urllib.request

    name = f"team-{abs(hash(request.node.name))}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=10).close()
    return S3Store(
        name,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="an-id",
        secret_access_key="a-secret",
        client_options={"allow_http": True},
    )


def bucket(store: S3Store, endpoint: str, folder: Path, **config: object) -> Bucket:
    (folder / SOURCE_CREDENTIALS_FILE).write_text(KEYS)
    name = str(store.config["bucket"])
    made = BucketConfig.model_validate(
        {"provider": "s3", "bucket": name, "endpoint": endpoint, "credentials": True, **config}
    )
    return Bucket("docs", made, SourceServer(AddressRule(loopback=True), folder, signed_in=True))


@pytest.mark.proves(
    "VectorIndex.sources[].objectStore.provider",
    "VectorIndex.sources[].objectStore.bucket",
    "VectorIndex.sources[].objectStore.prefix",
    "VectorIndex.sources[].objectStore.paths",
    "VectorIndex.sources[].objectStore.endpoint",
    "VectorIndex.sources[].objectStore.region",
)
async def test_objects_below_a_prefix_are_documents_with_their_metadata(
    store: S3Store, endpoint: str, tmp_path: Path
) -> None:
    attributes = {"Content-Type": "text/markdown", "author": "Rosa"}
    await obstore.put_async(store, "handbook/deep/tea.md", b"Tea.", attributes=attributes)
    for name in ("handbook/logo.png", "other/cats.md"):
        await obstore.put_async(store, name, b"x")
    source = bucket(store, endpoint, tmp_path, prefix="handbook/", paths=("**/*.md",), region="us-east-1")
    (ref,) = [ref async for ref in source.list()]
    assert (ref.name, ref.content_type) == ("handbook/deep/tea.md", None)
    loaded = await source.load(ref)
    assert (loaded.content, loaded.ref.content_type) == (b"Tea.", "text/markdown")
    assert loaded.ref.metadata == {"author": "Rosa"}
    await obstore.put_async(store, "handbook/deep/tea.md", b"Green tea.")
    (again,) = [ref async for ref in source.list()]
    assert again.version != ref.version


async def test_a_large_object_is_left_out_and_a_bucket_that_is_gone_is_named(
    store: S3Store, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await obstore.put_async(store, "big.md", b"x" * 2000)
    monkeypatch.setattr(bucket_module, "MOST_BYTES", 1000)
    source = bucket(store, endpoint, tmp_path)
    (ref,) = [ref async for ref in source.list()]
    with pytest.raises(NotLoaded, match="too large"):
        await source.load(ref)
    with pytest.raises(SourceUnavailable, match="no such bucket"):
        [ref async for ref in bucket(store, endpoint, tmp_path, bucket="gone").list()]
    (tmp_path / SOURCE_CREDENTIALS_FILE).write_text("nonsense")
    with pytest.raises(SourceUnavailable, match="credentials cannot be read"):
        [ref async for ref in source.list()]


async def test_an_endpoint_is_at_no_metadata_service(store: S3Store, endpoint: str, tmp_path: Path) -> None:
    source = bucket(store, endpoint, tmp_path)
    metadata = source.config.model_copy(update={"endpoint": "http://169.254.169.254"})
    with pytest.raises(SourceUnavailable, match=r"169\.254\.169\.254"):
        [ref async for ref in Bucket("docs", metadata, source.server).list()]


async def test_an_endpoint_at_a_private_address_has_to_be_opened(store: S3Store, endpoint: str, tmp_path: Path) -> None:
    source = bucket(store, endpoint, tmp_path)
    closed = SourceServer(AddressRule(), tmp_path, signed_in=True)
    with pytest.raises(SourceUnavailable, match="this machine itself"):
        [ref async for ref in Bucket("docs", source.config, closed).list()]
