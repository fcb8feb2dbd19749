"""How a `VectorIndex` is searched: by meaning, by words, or by both."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import Score, SpecModel, same
from slipway_crds.runtimeconfig import Fusion, SearchConfig, SearchMode


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

    def config(self, *, restricted: bool = False) -> SearchConfig:
        """What agents read of it, and whether documents are for groups."""
        return SearchConfig(
            mode=self.mode,
            fusion=self.fusion,
            lexical_weight=float(self.lexical_weight),
            neighbours=self.neighbours,
            restricted=restricted,
        )
