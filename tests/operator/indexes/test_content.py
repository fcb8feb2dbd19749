"""Which counts of vectors mean that some were lost, and when the index is filled again."""

from typing import Any

import pytest

from slipway_operator.core.conditions import timestamp
from slipway_operator.core.projections import Child, JobState, project
from slipway_operator.indexes.content import Collection, Content, Counted, content_of, generation_of
from slipway_operator.indexes.ingest import GENERATION_ANNOTATION
from slipway_operator.indexes.ingestion import RETRY_SECONDS, IngestionRun, IngestionRuns
from tests.support.operator_builds import NOW
from tests.support.operator_objects import raw

REPORT = '{"revision": "r1", "fingerprint": "f", "documents": 2, "chunks": 6, "failed": 0, "failures": []}'


def child(kind: str, *, generation: str = "", age: float = 3600) -> Child:
    annotations = {"slipway.dev/report": REPORT, GENERATION_ANNOTATION: generation}
    metadata = {"annotations": annotations, "creationTimestamp": timestamp(NOW - age)}
    return project(kind, raw(kind, "handbook", metadata=metadata, spec={}, status={}))


def run(*, generation: str = "", succeeded: bool = True, failed: bool = False, ended: float = 3000) -> IngestionRun:
    state = JobState(succeeded=succeeded, failed=failed, failures=0, finished=NOW - ended, message="")
    return IngestionRun(child("Job", generation=generation, age=ended + 60), state, ())


def content(
    vectors: int | None,
    *others: IngestionRun,
    current: IngestionRun | None = None,
    generation: str = "",
    ready: float = 3600,
) -> Content:
    """What a count means where the server has been ready for so many seconds; the build has six chunks."""
    collection = Collection(url="", name="", chunks=6, server=("uid", NOW - ready), job="")
    return content_of(
        child("StatefulSet", generation=generation),
        IngestionRuns(current=current, others=others, leaving=False),
        collection=collection,
        counted=Counted(vectors=vectors),
        now=NOW,
    )


def renewed(found: Content) -> str:
    assert found.renew is not None
    assert found.renew.child.kind == "StatefulSet"
    return found.renew.annotations[GENERATION_ANNOTATION]


@pytest.mark.parametrize(("vectors", "lost"), [(6, False), (7, False), (5, True), (0, True), (None, False)])
def test_fewer_vectors_than_were_ingested_are_a_loss_and_silence_is_none(vectors: int | None, lost: bool) -> None:
    found = content(vectors, current=run())
    assert found.lost is lost
    assert (found.renew is not None) is lost
    if lost:
        assert renewed(found) == "1"


@pytest.mark.parametrize(
    ("current", "older"),
    [
        (run(succeeded=False), run(ended=4000)),
        (run(succeeded=False, failed=True), run(ended=4000)),
        (None, run(ended=4000)),
        (run(), run(succeeded=False)),
    ],
    ids=["runs", "failed", "no job", "an older one runs"],
)
def test_an_ingestion_that_is_not_over_may_have_removed_some_but_not_all(
    current: IngestionRun | None, older: IngestionRun
) -> None:
    assert content(5, older, current=current).lost is False
    found = content(0, older, current=current)
    assert found.lost
    assert renewed(found) == "1"


def test_a_loss_is_remembered_until_its_ingestion_has_succeeded() -> None:
    older, rebuilding = run(ended=4000), run(generation="1", succeeded=False)
    assert content(None, older, current=rebuilding, generation="1") == Content(lost=True)
    assert content(0, older, current=rebuilding, generation="1").renew is None, "the next generation has begun already"
    assert content(6, run(generation="1", ended=10), older, generation="1") == Content(lost=False)
    assert renewed(content(0, current=run(generation="1"), generation="1")) == "2"


def test_a_server_that_was_made_anew_goes_on_counting_where_its_build_is() -> None:
    assert renewed(content(0, run(generation="3"), generation="")) == "4"


def test_a_server_that_loses_what_it_was_just_given_is_not_filled_in_a_loop() -> None:
    assert content(0, current=run(ended=10), ready=3600).renew is not None, "the first time"

    def made_again(*, ended: float, ready: float) -> Content:
        return content(0, current=run(generation="1", ended=ended), generation="1", ready=ready)

    assert made_again(ended=10, ready=3600) == Content(lost=True)
    assert made_again(ended=RETRY_SECONDS, ready=3600).renew is not None, "after a while"
    assert made_again(ended=10, ready=5).renew is not None, "it was started anew since"


@pytest.mark.parametrize("nonsense", ["-1", "one", "1" * 5000, "1.5"])
def test_a_generation_that_somebody_wrote_nonsense_over_counts_from_zero(nonsense: str) -> None:
    assert generation_of(child("StatefulSet", generation=nonsense)) == 0
    assert generation_of(None) == 0


def test_an_index_without_a_chunk_loses_nothing() -> None:
    collection = Collection(url="", name="", chunks=0, server=("uid", 0), job="")
    runs: Any = IngestionRuns(current=run(), others=(), leaving=False)
    server = child("StatefulSet")
    assert content_of(server, runs, collection=collection, counted=Counted(vectors=0), now=NOW) == Content(lost=False)
