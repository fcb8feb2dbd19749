"""Where documents come from. A source is listed first and loaded document by document, so that an ingestion holds one
document at a time, and loads only what has changed."""

from slipway_runtime.knowledge.ingestion.sources.contract import DocumentRef as DocumentRef
from slipway_runtime.knowledge.ingestion.sources.contract import DocumentSource as DocumentSource
from slipway_runtime.knowledge.ingestion.sources.contract import Gone as Gone
from slipway_runtime.knowledge.ingestion.sources.contract import LoadedDocument as LoadedDocument
from slipway_runtime.knowledge.ingestion.sources.contract import NotLoaded as NotLoaded
from slipway_runtime.knowledge.ingestion.sources.contract import SourceUnavailable as SourceUnavailable
from slipway_runtime.knowledge.ingestion.sources.files import FolderSource as FolderSource
from slipway_runtime.knowledge.ingestion.sources.files import ItemsSource as ItemsSource
