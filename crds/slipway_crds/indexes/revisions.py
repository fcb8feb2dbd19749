"""How one build of an index takes the place of another."""

from typing import Annotated

from slipway_crds.fields import Duration, Score, SpecModel, emulated, parse_duration, same
from slipway_crds.rules import duration_within
from slipway_crds.runtimeconfig import AcceptanceConfig
from slipway_crds.servers import ConfigMapKey


class AcceptanceQuestions(SpecModel):
    """Questions with the documents that answer them."""

    local = same("Looked up among the manifests given to `slipway dev`.")

    config_map_ref: ConfigMapKey
    """A YAML list in a ConfigMap of the index's namespace. Each entry has a `question` and `documents`, the names of
    documents any of which is right."""


class AcceptanceSettings(SpecModel):
    """What a revision of the index has to reach before agents read it. A revision always has to have every document
    that agents find in the one before, unless its source does not have it any more."""

    local = same("The same is measured.")

    min_recall: Score = "0.95"
    """Share of the ten nearest vectors that searches of the back end find, compared with an exact search over the same
    vectors; "0" if it is not to be measured."""
    cases: AcceptanceQuestions | None = None
    """Questions of your own."""
    min_hit_rate: Score = "0.9"
    """Share of these questions for which one of their documents is among the first ten passages found."""

    def config(self) -> AcceptanceConfig:
        """What an ingestion does with it."""
        ref = self.cases.config_map_ref if self.cases is not None else None
        return AcceptanceConfig(
            min_recall=float(self.min_recall),
            min_hit_rate=float(self.min_hit_rate),
            cases=f"{ref.name}/{ref.key}" if ref is not None else None,
        )


class RevisionSettings(SpecModel):
    """How long former revisions of the index stay."""

    rules = (duration_within("keepFor", "0s", "720h"),)

    keep_for: Annotated[Duration, emulated("The ingestion after that removes it.")] = "24h"
    """For how long the revision that agents read before is kept with its vectors, so that it can be served again."""

    @property
    def keep_seconds(self) -> int:
        """The same in seconds."""
        return int(parse_duration(self.keep_for).total_seconds())
