"""From what an ingestion is to read to the sources that it reads."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from slipway_crds.runtimeconfig import IngestConfig, SourceConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources.contract import DocumentSource
from slipway_runtime.knowledge.ingestion.sources.files import FolderSource
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer

REMEDY = "open it with an entry of spec.egress of the VectorIndex, or correct the address"


@dataclass(frozen=True)
class SourcePlaces:
    """Where this process finds what sources need.

    Args:
        folders: a folder with a folder for each mounted source.
        files: a folder with a folder for each source with a server, with its credentials and certificates.
        given: sources that are not in files, by name.
        reach: the addresses that servers may have; None: those that the VectorIndex says.
    """

    folders: Path
    files: Path
    given: Mapping[str, DocumentSource] | None = None
    reach: AddressRule | None = None


@contextmanager
def open_sources(config: IngestConfig, places: SourcePlaces) -> Iterator[list[DocumentSource]]:
    """The sources of an index, with a folder for what they fetch, which goes at the end."""
    reach = places.reach or reach_of(config)
    with (
        tempfile.TemporaryDirectory(prefix="slipway-sources-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
    ):
        yield [_source(source, places, reach, Path(folder), stack) for source in config.sources]


def reach_of(config: IngestConfig) -> AddressRule:
    """The addresses that servers of an index's sources may have: public ones, and what `spec.egress` opens. To which
    pods it opens the cluster, NetworkPolicies decide."""
    networks = tuple(ip_network(each, strict=False) for each in config.networks)
    return AddressRule(private=config.services, networks=networks, remedy=REMEDY)


def _source(
    source: SourceConfig, places: SourcePlaces, reach: AddressRule, folder: Path, stack: ExitStack
) -> DocumentSource:
    files = places.files / source.name
    if source.git is not None:
        # Imported by those who need it: it takes a while.
        from slipway_runtime.knowledge.ingestion.sources.git import GitRepository

        server = SourceServer(reach, files, signed_in=source.git.credentials, ca=source.ca, own_proxy=source.proxy)
        repository = GitRepository(source.name, source.git, server, folder)
        stack.callback(repository.close)
        return repository
    if source.http is not None:
        from slipway_runtime.knowledge.ingestion.sources.web import WebPages

        return WebPages(
            source.name, source.http, SourceServer(reach, files, ca=source.ca, own_proxy=source.proxy), folder
        )
    if source.object_store is not None:
        from slipway_runtime.knowledge.ingestion.sources.bucket import Bucket

        return Bucket(
            source.name,
            source.object_store,
            SourceServer(reach, files, signed_in=source.object_store.credentials, own_proxy=source.proxy),
        )
    given = (places.given or {}).get(source.name)
    return given or FolderSource(source.name, places.folders / source.name, source.paths)
