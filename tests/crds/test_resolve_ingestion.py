"""What an ingestion is told to do."""

import pytest

from slipway_crds.meta import SERVE_ANNOTATION
from slipway_crds.resolve import (
    Severity,
    ingest_config,
    missing_config_maps,
)
from slipway_crds.runtimeconfig import AcceptanceConfig, DocumentsConfig, EmbeddingConfig, RerankerConfig, VectorsConfig
from tests.support.resolving import index


def test_an_ingestion_is_told_how_to_cut_and_which_sources() -> None:
    one = index(
        chunking={"maxTokens": 100, "overlap": 0},
        sources=[{"name": "b", "configMap": {"name": "x"}}, {"name": "a", "configMap": {"name": "y"}}],
    )
    assert ingest_config(one).model_dump(exclude_defaults=True) == {
        "namespace": "demo",
        "index": "handbook",
        "max_tokens": 100,
        "overlap": 0,
        "sources": ({"name": "a"}, {"name": "b"}),
    }


REF = {"name": "vectors", "key": "dsn"}


@pytest.mark.proves("VectorIndex.backend.*.connectionRef.*")
@pytest.mark.parametrize("kind", ["chroma", "pgvector", "cockroachdb", "mongodb", "vertex", "snowflake"])
def test_an_ingestion_is_told_the_back_end_and_the_file_of_its_connection(kind: str) -> None:
    told = ingest_config(index(backend={kind: {"connectionRef": REF}}))
    assert told.vectors.model_dump() == {"kind": kind, "connection": "handbook/vectors/dsn"}
    another = ingest_config(index(backend={kind: {"connectionRef": {**REF, "name": "others"}}}))
    assert another.digest() != told.digest(), "another Secret may lead to another server"


SERVICE = {
    "provider": "openai-compatible",
    "model": "bge-m3",
    "dimensions": 1024,
    "shortened": True,
    "baseURL": "http://embeddings.models.svc:8000/v1",
    "apiKeyRef": {"name": "embeddings", "key": "api-key"},
    "batch": 16,
    "timeout": "1m",
}


@pytest.mark.proves("VectorIndex.embedding.service.**")
def test_an_ingestion_is_told_the_embedding_service() -> None:
    told = ingest_config(index(embedding={"service": SERVICE}))
    assert told.embedding == EmbeddingConfig(
        provider="openai-compatible",
        model="bge-m3",
        dimensions=1024,
        shortened=True,
        base_url="http://embeddings.models.svc:8000/v1",
        key="handbook/embeddings/api-key",
        batch=16,
        timeout_seconds=60,
    )
    vertex = {"provider": "vertex", "model": "text-embedding-005", "dimensions": 768}
    told = ingest_config(index(embedding={"service": {**vertex, "project": "p-1", "location": "europe-west3"}}))
    assert (told.embedding.project, told.embedding.location, told.embedding.key) == ("p-1", "europe-west3", None)
    assert ingest_config(index()).embedding == EmbeddingConfig()


@pytest.mark.proves("VectorIndex.acceptance.**", "VectorIndex.revisions.keepFor")
def test_an_ingestion_is_told_what_a_build_has_to_reach_and_how_long_the_one_before_is_kept() -> None:
    cases = {"configMapRef": {"name": "questions", "key": "list.yaml"}}
    asked = {"minRecall": "0.9", "minHitRate": "0.75", "cases": cases}
    told = ingest_config(index(acceptance=asked, revisions={"keepFor": "1h30m"}))
    assert told.acceptance == AcceptanceConfig(min_recall=0.9, min_hit_rate=0.75, cases="questions/list.yaml")
    assert told.keep_seconds == 5400
    assert ingest_config(index()).acceptance == AcceptanceConfig()
    assert ingest_config(index()).keep_seconds == 86400


def test_an_ingestion_is_told_which_revision_to_serve() -> None:
    one = index()
    annotated = one.model_copy(
        update={"metadata": one.metadata.model_copy(update={"annotations": {SERVE_ANNOTATION: "previous"}})}
    )
    assert (ingest_config(annotated).serve, ingest_config(one).serve) == ("previous", "")


def test_the_config_map_with_questions_is_waited_for() -> None:
    one = index(acceptance={"cases": {"configMapRef": {"name": "questions", "key": "list.yaml"}}})
    names = set(one.spec.config_maps.values()) - {"questions"}
    (problem,) = missing_config_maps(one, names)
    assert (problem.path, problem.reason) == ("spec.acceptance.cases.configMapRef.name", "WaitingForSource")
    assert missing_config_maps(one, {*names, "questions"}) == ()


@pytest.mark.proves("VectorIndex.search.reranker.**")
def test_agents_are_told_the_reranker_by_the_pointer_of_the_index() -> None:
    reranker = {"baseURL": "http://tei.models.svc:8080", "model": "m-1", "timeout": "5s"}
    key = {"name": "rerankers", "key": "api-key"}
    told = ingest_config(index(search={"reranker": {**reranker, "apiKeyRef": key}}))
    assert told.search.reranker == RerankerConfig(
        base_url="http://tei.models.svc:8080", model="m-1", timeout_seconds=5, key="handbook/rerankers/api-key"
    )
    assert ingest_config(index()).search.reranker is None


def test_without_a_connection_the_vectors_are_in_the_store() -> None:
    assert ingest_config(index(backend={"pgvector": {}})).vectors == VectorsConfig(kind="pgvector")


def test_an_ingestion_does_not_depend_on_where_the_vectors_live() -> None:
    moved = index(backend={"chroma": {"storage": "9Gi"}}, deletionPolicy="Delete")
    assert ingest_config(moved).digest() == ingest_config(index()).digest()


def test_a_missing_source_is_waited_for_by_name() -> None:
    one = index(sources=[{"name": "a", "configMap": {"name": "x"}}, {"name": "b", "configMap": {"name": "y"}}])
    assert missing_config_maps(one, {"x", "y"}) == ()
    (problem,) = missing_config_maps(one, {"x"})
    assert (problem.severity, problem.reason, problem.path) == (
        Severity.WAITING,
        "WaitingForSource",
        "spec.sources[1].configMap.name",
    )
    assert "ConfigMap y in namespace demo" in problem.message


@pytest.mark.proves("VectorIndex.embedding.onnx.**")
def test_an_ingestion_is_told_where_a_model_in_files_is() -> None:
    given = {
        "volume": {"claimName": "models", "path": "e5/small"},
        "digest": "sha256:" + "a" * 64,
        "precision": "int8",
        "maxTokens": 256,
        "pooling": "cls",
        "queryPrefix": "query: ",
        "textPrefix": "passage: ",
    }
    told = ingest_config(index(embedding={"onnx": given})).embedding
    mount = told.model.split("/")[1]
    assert told == EmbeddingConfig(
        provider="onnx",
        model=f"handbook/{mount}/e5/small",
        dimensions=0,
        max_tokens=256,
        graph_digest="sha256:" + "a" * 64,
        precision="int8",
        pooling="cls",
        query_prefix="query: ",
        text_prefix="passage: ",
    )
    image = {"image": {"name": "registry.example.com/e5:1", "path": "/models/e5"}, "digest": "sha256:" + "a" * 64}
    elsewhere = ingest_config(index(embedding={"onnx": image})).embedding.model
    assert elsewhere.startswith("handbook/")
    assert elsewhere != f"handbook/{mount}", "another place has another folder"


@pytest.mark.proves("VectorIndex.documents.store.*.connectionRef.*")
@pytest.mark.parametrize("kind", ["postgres", "mongodb"])
def test_an_ingestion_is_told_where_texts_are_and_the_file_of_the_connection(kind: str) -> None:
    told = ingest_config(index(documents={"store": {kind: {"connectionRef": REF}}})).documents
    assert told.model_dump() == {"kind": kind, "connection": "handbook/vectors/dsn"}
    for own in ("postgres", "sqlite"):
        assert ingest_config(index(documents={"store": {own: {}}})).documents == DocumentsConfig()
    assert ingest_config(index()).documents == DocumentsConfig()
