"""Where an index's documents come from."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from slipway_crds.contract import SOURCE_CREDENTIALS_FILE
from slipway_crds.fields import (
    ATOMIC,
    CRON_PATTERN,
    GLOB_PATTERN,
    REF_PATTERN,
    ZONE_PATTERN,
    Name,
    SpecModel,
    SubdomainName,
    Url,
    same,
)
from slipway_crds.rules import OneOf, unlike
from slipway_crds.runtimeconfig import GitConfig, SourceConfig
from slipway_crds.servers import METADATA_HOSTS, SecretKey, ServerTls

Globs = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=256, pattern=GLOB_PATTERN)], ...],
    Field(min_length=1, max_length=32),
    ATOMIC,
]


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

    def config(self, name: str) -> SourceConfig:
        """What an ingestion does with it."""
        git = GitConfig(
            url=self.url, ref=self.ref, paths=tuple(self.paths), credentials=self.credentials_ref is not None
        )
        return SourceConfig(name=name, git=git, ca=self.tls is not None)


class IngestionSchedule(SpecModel):
    """Times at which the sources are read. One ingestion runs at a time, and times that were missed are made up for by
    one."""

    local = same("The same times count while `slipway dev` runs.")

    cron: Annotated[str, Field(min_length=9, max_length=100, pattern=CRON_PATTERN)]
    """The times: minute, hour, day of the month, month and day of the week, like `*/30 * * * *`."""
    time_zone: Annotated[str, Field(min_length=3, max_length=64, pattern=ZONE_PATTERN)] = "UTC"
    """The time zone, by its name in the IANA database, like `Europe/Berlin`."""


class Source(OneOf):
    """One place that documents come from: exactly one member besides the name."""

    name: Annotated[Name, same("Citations carry it.")]
    """Name of this source, unique within the list; citations carry it."""
    config_map: Annotated[ConfigMapSource | None, same("Read from the manifest.")] = None
    """Text and Markdown documents in a ConfigMap."""
    git: Annotated[GitSource | None, same("The same repository is read.")] = None
    """Documents in a git repository."""

    @property
    def config(self) -> SourceConfig:
        """What an ingestion does with it."""
        return self.git.config(self.name) if self.git is not None else SourceConfig(name=self.name)

    @property
    def secrets(self) -> Mapping[str, SecretKey]:
        """What its server is signed in to with, by the name of the file."""
        credentials = self.git.credentials_ref if self.git is not None else None
        return {SOURCE_CREDENTIALS_FILE: credentials} if credentials is not None else {}

    @property
    def urls(self) -> tuple[str, ...]:
        """Where its server is."""
        return (self.git.url,) if self.git is not None else ()

    @property
    def tls(self) -> ServerTls | None:
        """How its server is checked."""
        return self.git.tls if self.git is not None else None
