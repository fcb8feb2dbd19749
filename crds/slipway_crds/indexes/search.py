"""How a `VectorIndex` is searched: by meaning, by words, or by both."""

from typing import Annotated

from pydantic import Field

from slipway_crds.contract import connection_file
from slipway_crds.fields import MODEL_PATTERN, Duration, Score, SpecModel, Url, parse_duration, same
from slipway_crds.rules import duration_within
from slipway_crds.runtimeconfig import Fusion, RerankerConfig, SearchConfig, SearchMode
from slipway_crds.servers import FROM_SECRET, NO_METADATA_HOST, SecretKey


class Reranker(SpecModel):
    """A service that orders passages by how well they fit a question. Questions and passages are sent to it."""

    local = same("The same service is called.")
    rules = (NO_METADATA_HOST, duration_within("timeout", "1s", "1m"))

    base_url: Annotated[Url, Field(alias="baseURL")]
    """Where it is; `/rerank` is added to it. A server in the cluster, or at a private address, also has to be in the
    `egress` of the agents that read the index."""
    model: Annotated[str | None, Field(min_length=1, max_length=256, pattern=MODEL_PATTERN)] = None
    """The service's name of the model. With it, requests are as for Cohere and Jina, without it as for Text Embeddings
    Inference (TEI)."""
    api_key_ref: Annotated[SecretKey | None, FROM_SECRET] = None
    """The key to call it with. The operator never reads it; pods read it again when it changes."""
    timeout: Duration = "2s"
    """What was found keeps its order if the service takes longer."""

    def config(self, index: str) -> RerankerConfig:
        """What agents read of it."""
        ref = self.api_key_ref
        return RerankerConfig(
            base_url=self.base_url,
            model=self.model,
            timeout_seconds=int(parse_duration(self.timeout).total_seconds()),
            key=connection_file(index, ref.name, ref.key) if ref is not None else None,
        )


class SearchSettings(SpecModel):
    """How agents search the index. A change takes effect with the next ingestion, and makes no new revision."""

    local = same("It is searched in the same way.")

    mode: SearchMode = "hybrid"
    """`dense` finds what means the same, `lexical` what has the same words, `hybrid` both."""
    fusion: Fusion = "weighted"
    """How `hybrid` puts both together: `weighted` adds scores, `rrf` ranks (reciprocal rank fusion)."""
    lexical_weight: Score = "0.2"
    """Share of the words in a score of `hybrid`, if `fusion` is `weighted`; the meaning has the rest."""
    neighbours: Annotated[int, Field(ge=0, le=3)] = 0
    """So many chunks before and after one that is found are given to models with it, as one passage."""
    reranker: Reranker | None = None
    """What orders the passages that were found, before the best ones of them are taken."""

    def config(self, index: str, *, restricted: bool = False) -> SearchConfig:
        """What agents read of it, and whether documents are for groups."""
        return SearchConfig(
            mode=self.mode,
            fusion=self.fusion,
            lexical_weight=float(self.lexical_weight),
            neighbours=self.neighbours,
            restricted=restricted,
            reranker=self.reranker.config(index) if self.reranker is not None else None,
        )
