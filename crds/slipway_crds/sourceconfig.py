"""What an ingestion is told of the sources of documents."""

from typing import Literal

from slipway_crds.configmodel import ConfigModel


class GitConfig(ConfigModel):
    """A git repository that documents are in."""

    url: str
    ref: str = "HEAD"
    paths: tuple[str, ...] = ("**",)
    credentials: bool = False
    """Whether there is a file with what to sign in with."""


class PagesConfig(ConfigModel):
    """Pages of web sites that are documents."""

    urls: tuple[str, ...] = ()
    sitemap: str | None = None
    headers: tuple[str, ...] = ()
    """Names of headers, each with a file of its own."""


class BucketConfig(ConfigModel):
    """A bucket whose objects are documents."""

    provider: Literal["s3", "gcs"]
    bucket: str
    prefix: str = ""
    paths: tuple[str, ...] = ("**",)
    endpoint: str | None = None
    region: str | None = None
    credentials: bool = False
    """Whether there is a file with what to sign in with."""


class SourceConfig(ConfigModel):
    """One source of documents: a server's, or else the folder that its ConfigMap or volume is mounted at
    (`<sources>/<name>/<key>`)."""

    name: str
    git: GitConfig | None = None
    http: PagesConfig | None = None
    object_store: BucketConfig | None = None
    paths: tuple[str, ...] = ()
    """Of a volume, whose folders are looked into; empty for a ConfigMap."""
    ca: bool = False
    """Whether there is a file with the certificates of the authorities that sign the server's."""
    proxy: str | None = None
    """Address of the proxy by which the server is reached; None: as the process's environment says."""
    access: tuple[str, ...] | None = None
    """Groups that may read documents that name none; None: the source says nothing of that."""
