"""Any sentence model in a folder. MiniLM's own graph is one, and a small one with vectors of tokens is made here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.knowledge.embedding.embedder import EmbeddingUnavailable
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.model_files import ModelMissing, sha256
from slipway_runtime.knowledge.embedding.onnx_embedder import OnnxEmbedder
from slipway_runtime.knowledge.embedding.onnx_folder import FolderEmbedder, onnx_model, open_model
from slipway_runtime.settings import default_model_dir
from tests.support.sentence_model import DIMENSIONS, sentence_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that looks tokens up in a table."""
    sentence_model(tmp_path)
    return tmp_path


def config(**given: Any) -> EmbeddingConfig:
    return EmbeddingConfig.model_validate(
        {"provider": "onnx", "model": "lookup", "dimensions": DIMENSIONS, "max_tokens": 64} | given
    )


async def test_padding_has_no_part_in_a_mean(folder: Path) -> None:
    made = OnnxEmbedder(onnx_model(folder, config()))
    together = await made.embed_texts(["a cat", "a cat and a dog and a much longer text"])
    alone = await made.embed_texts(["a cat"])
    assert together[0] == pytest.approx(alone[0], abs=1e-6)
    assert np.linalg.norm(together, axis=1) == pytest.approx([1, 1], abs=1e-6)
    await made.close()


async def test_pooling_by_the_first_token_takes_that_alone(folder: Path) -> None:
    made = OnnxEmbedder(onnx_model(folder, config(pooling="cls")))
    vectors = await made.embed_texts(["a cat", "something else"])
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-6)  # [CLS] is the same for all
    await made.close()


async def test_prefixes_go_before_questions_and_texts(folder: Path) -> None:
    plain = OnnxEmbedder(onnx_model(folder, config()))
    prefixed = OnnxEmbedder(onnx_model(folder, config(query_prefix="query: ", text_prefix="passage: ")))
    assert await prefixed.embed_query("a cat") == pytest.approx(await plain.embed_query("query: a cat"), abs=1e-6)
    [text] = await prefixed.embed_texts(["a cat"])
    assert text == pytest.approx(await plain.embed_query("passage: a cat"), abs=1e-6)
    assert prefixed.identity != plain.identity
    await plain.close()
    await prefixed.close()


async def test_the_model_that_slipway_has_gives_the_same_from_a_folder(embedder: MiniLM) -> None:
    given = {"dimensions": 384, "max_tokens": 256, "pooling": "none"}
    made = OnnxEmbedder(onnx_model(default_model_dir(), config(**given)))
    question = "How do I drain a node?"
    assert await made.embed_query(question) == pytest.approx(await embedder.embed_query(question), abs=1e-6)
    await made.close()


def test_another_file_is_another_model_and_is_refused_where_a_digest_is_named(folder: Path) -> None:
    graph = folder / "onnx" / "model.onnx"
    digest = f"sha256:{sha256(graph)}"
    before = onnx_model(folder, config(graph_digest=digest)).identity
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    assert onnx_model(folder, config(graph_digest=digest)).identity != before
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(ModelMissing, match=f"not {digest}"):
        onnx_model(folder, config(graph_digest=digest))


@pytest.mark.parametrize(
    ("gone", "words"), [("onnx/model.onnx", "no model.onnx or onnx/model.onnx"), ("tokenizer.json", "tokenizer")]
)
def test_a_missing_file_is_named(folder: Path, gone: str, words: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(ModelMissing, match=words):
        onnx_model(folder, config())


async def test_the_dimensions_are_read_from_the_model(folder: Path) -> None:
    made = FolderEmbedder(folder, config(dimensions=0))
    assert (await made.embed_query("a cat")).shape == (DIMENSIONS,)
    assert made.dimensions == DIMENSIONS
    await made.close()


@pytest.mark.proves("VectorIndex.embedding.onnx.precision")
async def test_int8_is_another_file_and_another_model(folder: Path) -> None:
    with pytest.raises(ModelMissing, match=r"model_int8\.onnx or onnx/model_int8\.onnx or model_quantized"):
        onnx_model(folder, config(precision="int8"))
    digest = sentence_model(folder, name="onnx/model_quantized.onnx", seed=8)
    small = onnx_model(folder, config(precision="int8", graph_digest=digest))
    assert small.identity != onnx_model(folder, config()).identity


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pooling": "none"}, "a vector for each token: write mean or cls"),
        ({"max_tokens": 65}, "cannot read 65 tokens: lower spec.embedding.onnx.maxTokens"),
    ],
)
def test_a_model_of_another_shape_is_refused_with_what_to_do(tmp_path: Path, given: Any, words: str) -> None:
    sentence_model(tmp_path, reads=64)
    assert open_model(tmp_path, config()).dimensions == DIMENSIONS
    with pytest.raises(ModelMissing, match=words):
        open_model(tmp_path, config(**given))


def test_a_model_that_gives_vectors_of_texts_is_not_pooled() -> None:
    with pytest.raises(ModelMissing, match=r"one vector for a text: write none in spec\.embedding\.onnx\.pooling"):
        open_model(default_model_dir(), config(max_tokens=256))


async def test_a_model_that_comes_later_is_used_then(tmp_path: Path) -> None:
    made = FolderEmbedder(tmp_path, config())
    with pytest.raises(EmbeddingUnavailable, match="put the exported model there"):
        await made.embed_query("a cat")
    sentence_model(tmp_path)
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"half of it")
    with pytest.raises(EmbeddingUnavailable, match="cannot be loaded: export the model anew"):
        await made.embed_query("a cat")
    sentence_model(tmp_path)
    assert (await made.embed_texts(["a cat"])).shape == (1, DIMENSIONS)
    await made.close()
