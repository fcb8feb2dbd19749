"""Documents that are objects in a bucket of S3, of what speaks like it, or of Google Cloud Storage."""

import configparser
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import GCSStore, S3Store

from slipway_crds.indexes.sources import SERVICES
from slipway_crds.sourceconfig import BucketConfig
from slipway_runtime.addresses import ForbiddenAddress
from slipway_runtime.knowledge.ingestion.sources.contract import (
    MOST_BYTES,
    MOST_DOCUMENTS,
    NOTHING,
    DocumentRef,
    Gone,
    LoadedDocument,
    SourceUnavailable,
    too_large,
)
from slipway_runtime.knowledge.ingestion.sources.paths import chosen
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer

RETRIES = {"max_retries": 3}
CONTENT_TYPE = "Content-Type"
STATUS = re.compile(r"non-2xx status code: ([0-9]{3})")


@dataclass
class Bucket:
    """The objects of one bucket below a prefix."""

    name: str
    config: BucketConfig
    server: SourceServer
    _store: Any = None
    _sizes: dict[str, int] = field(default_factory=dict)

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`. The name of a document is that of the object."""
        wanted, prefix = chosen(self.config.paths), self.config.prefix
        with _words():
            connected = self.server.own_proxy or self.config.endpoint
            if connected is not None:
                await self.server.check(connected)
            self._store = _open(self.config, self.server.credentials(), self.server.own_proxy)
            found = [meta async for batch in obstore.list(self._store, prefix or None) for meta in batch]
        chosen_ones = [each for each in found if wanted(each["path"].removeprefix(prefix))]
        if len(chosen_ones) > MOST_DOCUMENTS:
            raise SourceUnavailable(f"{len(chosen_ones)} objects match, and at most {MOST_DOCUMENTS} are read")
        for meta in sorted(chosen_ones, key=lambda each: each["path"]):
            self._sizes[meta["path"]] = meta["size"]
            version = f"{meta['e_tag'] or ''} {meta['last_modified'].isoformat()}"
            yield DocumentRef(self.name, meta["path"], version)

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        if self._sizes.get(ref.name, 0) > MOST_BYTES:
            raise too_large(self._sizes[ref.name])
        with _words():
            try:
                found = await obstore.get_async(self._store, ref.name)
                content = bytes(await found.bytes_async())
            except exceptions.NotFoundError:
                raise Gone("the object is not there any more") from None
        attributes = {str(name): str(value) for name, value in found.attributes.items()}
        content_type = attributes.pop(CONTENT_TYPE, None)
        return LoadedDocument(replace(ref, content_type=content_type, metadata=attributes), content)


def _open(config: BucketConfig, credentials: str | None, proxy: str | None) -> Any:
    plain = (config.endpoint or "").startswith("http://")
    client: Any = {"allow_http": plain, "timeout": "60s", "connect_timeout": "10s"}
    if proxy is not None:
        client["proxy_url"] = proxy
    retries: Any = RETRIES
    if config.provider == "gcs":
        # Always given: a key could name another address (`gcs_base_url`), which nobody would have checked.
        at = config.endpoint or SERVICES[config.provider]
        signed: dict[str, Any] = {"service_account_key": credentials} if credentials else {"skip_signature": True}
        return GCSStore(config.bucket, base_url=at, client_options=client, retry_config=retries, **signed)
    options: dict[str, Any] = {"endpoint": config.endpoint} if config.endpoint else {}
    signed = _keys(credentials) if credentials else {"skip_signature": True}
    region = config.region or "us-east-1"
    return S3Store(config.bucket, region=region, client_options=client, retry_config=retries, **options, **signed)


def _keys(text: str) -> dict[str, str]:
    """The keys in a file of credentials of AWS: those of the profile `default`, else of the only one."""
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(text)
        profile = parser["default"] if "default" in parser else parser[parser.sections()[0]]
        keys = {"access_key_id": profile["aws_access_key_id"], "secret_access_key": profile["aws_secret_access_key"]}
    except (configparser.Error, KeyError, IndexError):
        raise SourceUnavailable(
            "its credentials cannot be read: write aws_access_key_id and aws_secret_access_key below [default], as in "
            "~/.aws/credentials, into the Secret that objectStore.credentialsRef names"
        ) from None
    token = profile.get("aws_session_token")
    return keys | ({"session_token": token} if token else {})


@contextmanager
def _words() -> Iterator[None]:
    """Turn what goes wrong into what to do about it. No text of a server is repeated."""
    try:
        yield
    except ForbiddenAddress as error:
        raise SourceUnavailable(str(error)) from None
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise SourceUnavailable(_said(error)) from error


def _said(error: Exception) -> str:
    # A refused listing is a GenericError, which has the status in its text alone.
    found = STATUS.search(str(error))
    status = found[1] if found else ""
    refused = isinstance(error, exceptions.UnauthenticatedError | exceptions.PermissionDeniedError)
    if refused or status in ("401", "403"):
        return (
            "its server refused the credentials: write some that may list and read the bucket into the Secret that "
            "objectStore.credentialsRef names"
        )
    if isinstance(error, exceptions.NotFoundError) or status == "404":
        return "there is no such bucket: correct objectStore.bucket"
    return f"its server cannot be reached or refuses ({type(error).__name__})"
