"""The cases that an agent is measured by: questions, and what is expected of the answers.

They are YAML: `cases:` with a list, either plain or as `cases.yaml` in a ConfigMap, so that the file can be applied
to a cluster.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slipway_crds.configmaps import is_config_map
from slipway_crds.manifests import ManifestError, load_paths, load_text

KEY = "cases.yaml"


class CasesInvalid(ValueError):
    """The cases cannot be used; the message says where and why."""


class CaseKind(StrEnum):
    """What the right behaviour is."""

    ANSWERABLE = "answerable"
    UNANSWERABLE = "unanswerable"
    """Nothing in the documents is about it."""
    NEAR_MISS = "near-miss"
    """It sounds like the documents, but they do not answer it."""


class FollowUp(StrEnum):
    """How a question goes on from what was asked before it."""

    PRONOUN = "pronoun"
    """It names its subject by a pronoun."""
    ELLIPSIS = "ellipsis"
    """It leaves out what was asked before."""
    TOPIC_CHANGE = "topic-change"
    """It does not: it stands by itself."""
    UNANSWERABLE = "unanswerable"
    """It does, and nothing in the documents answers it."""


class Expectation(BaseModel):
    """What a right answer has."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    documents: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of documents; any of them is a right source."""
    contains: Annotated[tuple[str, ...], Field(min_length=1)]
    """Phrases that a right answer has; `a|b` is either."""


class CaseSpec(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(pattern="^[a-z0-9][-a-z0-9]*$")]
    question: Annotated[str, Field(min_length=1)]
    kind: CaseKind
    expect: Expectation | None = None
    after: tuple[str, ...] = ()
    """What was asked before in the same conversation, oldest first."""
    follow_up: FollowUp | None = None

    @model_validator(mode="after")
    def _follows_something(self) -> "CaseSpec":
        if bool(self.after) != (self.follow_up is not None):
            raise ValueError("`after` and `follow_up` belong together")
        if self.follow_up is FollowUp.UNANSWERABLE and self.kind is CaseKind.ANSWERABLE:
            raise ValueError("an unanswerable `follow_up` is of no answerable case")
        return self

    @model_validator(mode="after")
    def _expects_iff_answerable(self) -> "CaseSpec":
        if (self.kind is CaseKind.ANSWERABLE) != (self.expect is not None):
            raise ValueError("`expect` belongs to answerable cases, and to no others")
        return self


class Cases(BaseModel):
    """A set of cases."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cases: Annotated[tuple[CaseSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Cases":
        names = [case.name for case in self.cases]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names are given twice: {', '.join(twice)}")
        return self


def load_cases(paths: Sequence[Path]) -> tuple[CaseSpec, ...]:
    """All cases in manifest files and folders.

    Raises:
        CasesInvalid: if there are none, or if they are not as described here.
    """
    found: list[CaseSpec] = []
    for source, value in _case_documents(paths):
        try:
            found.extend(Cases.model_validate(value).cases)
        except ValidationError as error:
            raise CasesInvalid(f"{source}: {error}") from error
    if not found:
        raise CasesInvalid(f"no cases: no ConfigMap in {', '.join(map(str, paths))} has the key {KEY}")
    return tuple(found)


def _case_documents(paths: Sequence[Path]) -> Iterator[tuple[str, Any]]:
    try:
        for document in load_paths(paths):
            value = document.value
            if not isinstance(value, dict):
                continue
            if "cases" in value and "kind" not in value:
                yield document.source, value
            elif is_config_map(value) and isinstance(text := _data(value).get(KEY), str):
                yield from ((inner.source, inner.value) for inner in load_text(text, f"{document.source}: {KEY}"))
    except ManifestError as error:
        raise CasesInvalid(str(error)) from error


def _data(config_map: Mapping[str, Any]) -> Mapping[str, Any]:
    data = config_map.get("data")
    return data if isinstance(data, dict) else {}
