"""Where an index's documents come from."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from slipway_crds.access import Groups
from slipway_crds.contract import SOURCE_CREDENTIALS_FILE, SOURCE_HEADER_PREFIX
from slipway_crds.fields import (
    ATOMIC,
    BUCKET_PATTERN,
    BY_NAME,
    CRON_PATTERN,
    GLOB_PATTERN,
    PAGE_PATTERN,
    PREFIX_PATTERN,
    REF_PATTERN,
    REGION_PATTERN,
    ZONE_PATTERN,
    Name,
    SpecModel,
    SubdomainName,
    Url,
    emulated,
    ignored,
    same,
)
from slipway_crds.rules import OneOf, exactly_one, unlike
from slipway_crds.servers import METADATA_HOSTS, Header, SecretKey, ServerTls
from slipway_crds.sourceconfig import BucketConfig, GitConfig, PagesConfig, SourceConfig

Globs = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=256, pattern=GLOB_PATTERN)], ...],
    Field(min_length=1, max_length=32),
    ATOMIC,
]


SERVICES = {"s3": "https://s3.amazonaws.com", "gcs": "https://storage.googleapis.com"}
"""Where providers are; for S3 as far as ports go."""
PageUrl = Annotated[str, Field(min_length=8, max_length=1024, pattern=PAGE_PATTERN)]


NO_METADATA_PROXY = unlike(
    "proxy",
    METADATA_HOSTS,
    "must not be a link-local address or one where a cloud answers about its machines: write the proxy's own",
)
PROXY = same("The same proxy is used.")


class ConfigMapSource(SpecModel):
    """Documents in a ConfigMap: each key of `data` is one."""

    local = same("Looked up among the manifests given to `slipway dev`.")

    name: SubdomainName
    """Name of the ConfigMap, in the index's namespace."""


class GitSource(SpecModel):
    """Documents in a git repository: each file is one, as it is in the newest commit of a branch or at a tag."""

    local = same("The same repository is read.")
    rules = (
        unlike(
            "url",
            METADATA_HOSTS,
            "must not be a link-local address or one where a cloud answers about its machines: write the server's own",
        ),
        NO_METADATA_PROXY,
    )

    url: Url
    """Address of the repository, like `https://git.example.com/team/handbook.git`."""
    ref: Annotated[str, Field(min_length=1, max_length=255, pattern=REF_PATTERN)] = "HEAD"
    """The branch or the tag; the server's default branch if not given."""
    paths: Globs = ("**",)
    """Which files, like `docs/**/*.md`: `*` stands for any part of a name, `**` for any folders. What begins with a dot
    is read only where a pattern has the dot."""
    credentials_ref: SecretKey | None = None
    """A token, or a user and a password with a colon between them, for a repository that is not public."""
    tls: ServerTls | None = None
    """How the server is checked."""
    proxy: Annotated[Url | None, PROXY] = None
    """Address of an HTTP proxy by which the server is reached, in place of the chart's. One at a private address also
    has to be in `egress`."""

    def config(self, name: str) -> SourceConfig:
        """What an ingestion does with it."""
        git = GitConfig(
            url=self.url, ref=self.ref, paths=tuple(self.paths), credentials=self.credentials_ref is not None
        )
        return SourceConfig(name=name, git=git, ca=self.tls is not None, proxy=self.proxy)


class VolumeSource(SpecModel):
    """Documents in a volume: each file is one."""

    local = ignored("There are no volumes without a cluster: the source is empty.")

    claim_name: SubdomainName
    """Name of the PersistentVolumeClaim, in the index's namespace. It is mounted read-only."""
    paths: Globs = ("**",)
    """Which files, as in `git.paths`."""


class HttpSource(SpecModel):
    """Documents that are pages of a web site."""

    local = same("The same pages are read.")
    rules = (exactly_one(["urls", "sitemap"]), NO_METADATA_PROXY)

    urls: Annotated[tuple[PageUrl, ...] | None, Field(min_length=1, max_length=256), ATOMIC] = None
    """Addresses of the pages."""
    sitemap: PageUrl | None = None
    """Address of a sitemap, whose pages at the same host are read."""
    headers: Annotated[tuple[Header, ...], Field(max_length=8), BY_NAME] = ()
    """Headers with values from Secrets that requests to the same host have, such as `Authorization`."""
    tls: ServerTls | None = None
    """How the server is checked."""
    proxy: Annotated[Url | None, PROXY] = None
    """Address of an HTTP proxy by which the server is reached, in place of the chart's. One at a private address also
    has to be in `egress`."""

    @property
    def pages(self) -> tuple[str, ...]:
        """Addresses that are asked for first."""
        return self.urls or ((self.sitemap,) if self.sitemap else ())

    def config(self, name: str) -> SourceConfig:
        """What an ingestion does with it."""
        headers = tuple(sorted(header.name for header in self.headers))
        pages = PagesConfig(urls=self.urls or (), sitemap=self.sitemap, headers=headers)
        return SourceConfig(name=name, http=pages, ca=self.tls is not None, proxy=self.proxy)


class ObjectStoreSource(SpecModel):
    """Documents in a bucket: each object is one."""

    local = same("The same bucket is read.")
    rules = (NO_METADATA_PROXY,)

    provider: Literal["s3", "gcs"]
    """`s3` for Amazon S3 and what speaks like it, `gcs` for Google Cloud Storage."""
    bucket: Annotated[str, Field(min_length=3, max_length=222, pattern=BUCKET_PATTERN)]
    """Name of the bucket."""
    prefix: Annotated[str | None, Field(min_length=2, max_length=512, pattern=PREFIX_PATTERN)] = None
    """What the names of objects begin with."""
    paths: Globs = ("**",)
    """Which objects below the prefix, as in `git.paths`."""
    endpoint: Url | None = None
    """Address of the service, if it is not the provider's own."""
    region: Annotated[str | None, Field(min_length=2, max_length=64, pattern=REGION_PATTERN)] = None
    """Region of the bucket, for `s3`."""
    credentials_ref: SecretKey | None = None
    """For a bucket that is not public: for `s3` an access key and a secret key as in `~/.aws/credentials`, for `gcs` a
    service account's key as JSON."""
    proxy: Annotated[Url | None, PROXY] = None
    """Address of an HTTP proxy by which the server is reached, in place of the chart's. One at a private address also
    has to be in `egress`."""

    def config(self, name: str) -> SourceConfig:
        """What an ingestion does with it."""
        bucket = BucketConfig(
            provider=self.provider,
            bucket=self.bucket,
            prefix=self.prefix or "",
            paths=self.paths,
            endpoint=self.endpoint,
            region=self.region,
            credentials=self.credentials_ref is not None,
        )
        return SourceConfig(name=name, object_store=bucket, proxy=self.proxy)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self.endpoint or SERVICES[self.provider]


class IngestionSchedule(SpecModel):
    """Times at which the sources are read. One ingestion runs at a time, and times that were missed are made up for by
    one."""

    local = same("The same times count while `slipway dev` runs.")

    cron: Annotated[str, Field(min_length=9, max_length=100, pattern=CRON_PATTERN)]
    """The times: minute, hour, day of the month, month and day of the week, like `*/30 * * * *`."""
    time_zone: Annotated[str, Field(min_length=3, max_length=64, pattern=ZONE_PATTERN)] = "UTC"
    """The time zone, by its name in the IANA database, like `Europe/Berlin`."""


FOR_GROUPS = emulated("Kept to with `--keys`. Without, nobody has groups, and nobody reads the documents.")


class DocumentAccess(SpecModel):
    """Who may read documents, by the groups of callers."""

    local = FOR_GROUPS

    groups: Groups | None = None
    """Groups whose members may read the documents that say nothing themselves; nobody may if not given."""


class Source(OneOf):
    """One place that documents come from: exactly one member besides the name and who may read them."""

    besides = frozenset({"access"})

    name: Annotated[Name, same("Citations carry it.")]
    """Name of this source, unique within the list; citations carry it."""
    config_map: Annotated[ConfigMapSource | None, same("Read from the manifest.")] = None
    """Text and Markdown documents in a ConfigMap."""
    git: Annotated[GitSource | None, same("The same repository is read.")] = None
    """Documents in a git repository."""

    volume: Annotated[VolumeSource | None, ignored("There are no volumes without a cluster.")] = None
    """Documents in a volume."""
    http: Annotated[HttpSource | None, same("The same pages are read.")] = None
    """Pages of a web site."""
    object_store: Annotated[ObjectStoreSource | None, same("The same bucket is read.")] = None
    """Documents in a bucket."""

    access: Annotated[DocumentAccess | None, FOR_GROUPS] = None
    """Who may read the documents, where not everybody may who may ask the agent. One source with `access` restricts the
    whole index: documents of its other sources are for the groups that they name themselves, and for nobody else."""

    @property
    def config(self) -> SourceConfig:
        """What an ingestion does with it."""
        if self.access is None:
            return self._place
        return self._place.model_copy(update={"access": tuple(sorted(set(self.access.groups or ())))})

    @property
    def _place(self) -> SourceConfig:
        served = self.git or self.http or self.object_store
        if served is not None:
            return served.config(self.name)
        return SourceConfig(name=self.name, paths=self.volume.paths if self.volume is not None else ())

    @property
    def secrets(self) -> Mapping[str, SecretKey]:
        """What its server is signed in to with, by the name of the file."""
        if self.http is not None:
            return {f"{SOURCE_HEADER_PREFIX}{header.name}": header.secret_ref for header in self.http.headers}
        served = self.git or self.object_store
        credentials = served.credentials_ref if served is not None else None
        return {SOURCE_CREDENTIALS_FILE: credentials} if credentials is not None else {}

    @property
    def urls(self) -> tuple[str, ...]:
        """What is connected to: its server, or the proxy before it."""
        served = self.git or self.http or self.object_store
        if served is None:
            return ()
        if served.proxy is not None:
            return (served.proxy,)
        return served.pages if isinstance(served, HttpSource) else (served.url,)

    @property
    def tls(self) -> ServerTls | None:
        """How its server is checked."""
        served = self.git or self.http
        return served.tls if served is not None else None
