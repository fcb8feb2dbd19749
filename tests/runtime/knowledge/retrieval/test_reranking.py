"""What is found is ordered by a service before the best of it is taken, and keeps its order without that service."""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from slipway_crds.resolve import ingest_config
from slipway_crds.runtimeconfig import IngestConfig, RerankerConfig
from slipway_runtime.circuit import FAILURES
from slipway_runtime.knowledge.retrieval.rerank_service import ServiceReranker
from slipway_runtime.knowledge.retrieval.reranking import RERANKED, Rerankers
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.rerank_server import RerankServer, rerank_server
from tests.support.resolving import index

QUESTION = "How long do cats sleep?"
DOCUMENTS = {
    "cats_md": "# Cats\n\nCats sleep for most of the day.\n",
    "dogs_md": "# Dogs\n\nDogs sleep at night, and cats do not care.\n",
    "tea_md": "# Tea\n\nGreen tea needs water of 70 degrees. Tea is not for cats, who prefer a kettle's warmth.\n",
}
TEXTS = ["no", "a kettle", "a kettle by a kettle"]


@pytest.fixture
async def server() -> AsyncIterator[RerankServer]:
    async with rerank_server("kettle") as made:
        yield made


@pytest.fixture
async def rerankers(tmp_path: Path) -> AsyncIterator[Rerankers]:
    made = Rerankers(connections=lambda _: tmp_path / "connections")
    yield made
    await made.close()


def tei(server: RerankServer) -> RerankerConfig:
    return RerankerConfig(base_url=server.url)


def cohere(server: RerankServer) -> RerankerConfig:
    return RerankerConfig(base_url=f"{server.url}/v2", model="rerank-v3.5")


def failures(name: str) -> float:
    return REGISTRY.get_sample_value("slipway_rerank_failures_total", {"index": name}) or 0.0


def reranked(knowledge: Knowledge, reranker: RerankerConfig | None) -> IngestConfig:
    made = ingest_config(index())
    search = made.search.model_copy(update={"reranker": reranker})
    update = {"namespace": knowledge.namespace, "sources": knowledge.config().sources, "search": search}
    return made.model_copy(update=update)


def searching(knowledge: Knowledge, rerankers: Rerankers) -> Retriever:
    return Retriever(
        knowledge.namespace,
        database=knowledge.database,
        embedder=knowledge.embedder,
        vectors=lambda *_: knowledge.vectors,
        rerankers=rerankers,
    )


async def documents(retriever: Retriever, top_k: int) -> list[str]:
    found = await retriever.retrieve(QUESTION, [entry(top_k=top_k, min_score=0.0)])
    return [each.chunk.document for each in found]


@pytest.mark.parametrize("form", [tei, cohere])
async def test_the_service_orders_before_the_best_are_taken(
    local: Knowledge, server: RerankServer, rerankers: Rerankers, form: Callable[[RerankServer], RerankerConfig]
) -> None:
    retriever = searching(local, rerankers)
    await local.ingestion(reranked(local, None)).run(contents(**DOCUMENTS))
    assert await documents(retriever, 2) == ["cats.md", "dogs.md"]
    await local.ingestion(reranked(local, form(server))).run(contents(**DOCUMENTS))
    assert await documents(retriever, 1) == ["tea.md"], "an agent that was there follows the index"
    assert await documents(retriever, 2) == ["tea.md", "cats.md"]
    [best, second] = await retriever.retrieve(QUESTION, [entry(top_k=2, min_score=0.0)])
    assert best.relevance < second.relevance, "scores stay those of the search"
    request = server.requests[0]
    assert request["query"] == QUESTION
    sent = request.get("texts") or request["documents"]
    assert len(sent) == 3
    assert sent[0].startswith("Cats\n")


async def test_what_other_indexes_have_found_is_ranked_among_it(
    local: Knowledge, server: RerankServer, rerankers: Rerankers
) -> None:
    await local.ingestion(reranked(local, tei(server))).run(contents(**DOCUMENTS))
    other = local.config(index="other")
    await local.ingestion(other).run(contents(lions_md="# Lions\n\nLions are large cats, and sleep twenty hours.\n"))
    entries = [entry(top_k=3, min_score=0.0), entry(index="other", name="other", top_k=1, min_score=0.0)]
    found = await searching(local, rerankers).retrieve(QUESTION, entries)
    order = [each.chunk.document for each in found]
    assert [each for each in order if each != "lions.md"] == ["tea.md", "cats.md", "dogs.md"]
    assert order.index("lions.md") < 3, "it is not behind all that the reranker has ordered"


async def test_both_forms_have_their_own_request_and_their_key(server: RerankServer, tmp_path: Path) -> None:
    keyed = cohere(server).model_copy(update={"key": "handbook/cohere/api-key"})
    file = tmp_path / "handbook" / "cohere" / "api-key"
    file.parent.mkdir(parents=True)
    file.write_text("key-1\n")
    made = Rerankers(connections=lambda _: tmp_path)
    assert await made("demo/handbook", keyed).order("q", TEXTS) == [2, 1, 0]
    file.unlink()
    file.write_text("key-2-renewed")
    assert await made("demo/handbook", keyed).order("q", TEXTS) == [2, 1, 0]
    assert await made("demo/handbook", tei(server)).order("q", TEXTS) == [2, 1, 0]
    await made.close()
    assert server.keys == ["Bearer key-1", "Bearer key-2-renewed", None]
    assert server.requests[0] == {"model": "rerank-v3.5", "query": "q", "documents": TEXTS, "top_n": 3}
    assert server.requests[2] == {"query": "q", "texts": TEXTS, "truncate": True}


async def test_no_more_is_sent_than_a_server_takes_and_the_rest_comes_after(
    server: RerankServer, rerankers: Rerankers
) -> None:
    texts = [*("no" for _ in range(RERANKED - 1)), "kettle", "kettle kettle"]
    order = await rerankers("demo/many", tei(server)).order("q", texts)
    assert order == [RERANKED - 1, *range(RERANKED - 1), RERANKED]
    assert [len(each["texts"]) for each in server.requests] == [RERANKED]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (503, "it answers 503"),
        (401, "refuses the key: correct the Secret that spec.search.reranker.apiKeyRef names"),
        (404, "correct spec.search.reranker.baseURL"),
        (b"<html>", "its answer cannot be read"),
        (b"[]", "its answer cannot be read"),
        (b'{"results": "none"}', "its answer cannot be read"),
        (b'[{"index": 3, "score": 1}]', "its answer cannot be read"),
        (b'[{"index": true, "score": 1}]', "its answer cannot be read"),
        (b'[{"index": 0, "score": 1}, {"index": 0, "score": 2}]', "its answer cannot be read"),
        (b'[{"index": 0, "score": NaN}]', "its answer cannot be read"),
        (b'[{"index": 0, "score": "high"}]', "its answer cannot be read"),
    ],
)
async def test_what_is_no_order_is_counted_and_logged_once(
    server: RerankServer, rerankers: Rerankers, caplog: pytest.LogCaptureFixture, fault: int | bytes, why: str
) -> None:
    name, before = "demo/faulty", failures("demo/faulty")
    reranker = rerankers(name, tei(server))
    server.faults += [fault, fault]
    with caplog.at_level(logging.INFO):
        assert [await reranker.order("q", TEXTS) for _ in range(3)] == [None, None, [2, 1, 0]]
    first, again = (record.getMessage() for record in caplog.records if "reranker" in record.getMessage())
    assert why in first
    assert again == "the reranker of demo/faulty answers again"
    assert failures(name) == before + 2


async def test_an_answer_that_leaves_texts_out_puts_them_last(server: RerankServer, rerankers: Rerankers) -> None:
    server.faults.append(b'{"results": [{"index": 2, "relevance_score": 0.5}]}')
    assert await rerankers("demo/short", cohere(server)).order("q", TEXTS) == [2, 0, 1]


async def test_a_search_does_not_need_a_service_that_is_silent_or_away(
    local: Knowledge, server: RerankServer, rerankers: Rerankers, caplog: pytest.LogCaptureFixture
) -> None:
    silent = tei(server).model_copy(update={"timeout_seconds": 1})
    away = RerankerConfig(base_url="http://127.0.0.1:1")
    server.silent = True
    for config, why in ((silent, "did not answer within 1 s"), (away, "cannot be reached")):
        await local.ingestion(reranked(local, config)).run(contents(**DOCUMENTS))
        assert await documents(searching(local, rerankers), 2) == ["cats.md", "dogs.md"]
        assert why in caplog.text


@pytest.mark.parametrize("fusion", ["weighted", "rrf"])
async def test_what_keeps_its_order_is_what_would_have_been_found_without_a_reranker(
    local: Knowledge, server: RerankServer, rerankers: Rerankers, fusion: str
) -> None:
    server.faults += [500]
    found = []
    for reranker in (None, tei(server)):
        config = reranked(local, reranker)
        search = config.search.model_copy(update={"fusion": fusion})
        await local.ingestion(config.model_copy(update={"search": search})).run(contents(**DOCUMENTS))
        found.append(await documents(searching(local, rerankers), 2))
    assert found[0] == found[1]
    assert len(server.requests) == 1


async def test_a_service_that_keeps_failing_is_left_alone(server: RerankServer, rerankers: Rerankers) -> None:
    name, before = "demo/failing", failures("demo/failing")
    reranker: ServiceReranker = rerankers(name, tei(server))
    server.faults += [500] * (FAILURES + 1)
    assert [await reranker.order("q", TEXTS) for _ in range(FAILURES + 1)] == [None] * (FAILURES + 1)
    assert len(server.requests) == FAILURES
    assert failures(name) == before + FAILURES + 1


async def test_without_its_key_a_service_is_not_asked(
    server: RerankServer, rerankers: Rerankers, caplog: pytest.LogCaptureFixture
) -> None:
    keyed = tei(server).model_copy(update={"key": "handbook/tei/api-key"})
    assert await rerankers("demo/keyless", keyed).order("q", TEXTS) is None
    assert "create the Secret that spec.search.reranker.apiKeyRef names" in caplog.text
    assert server.requests == []
