"""Any sentence model in a folder. MiniLM's own graph is one, and a small one with vectors of tokens is made here."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from slipway_crds.runtimeconfig import EmbeddingConfig
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.model_files import ModelMissing, check, sha256
from slipway_runtime.knowledge.embedding.onnx_embedder import OnnxEmbedder
from slipway_runtime.knowledge.embedding.onnx_folder import onnx_model
from slipway_runtime.settings import default_model_dir

DIMENSIONS = 4
VOCABULARY = 30_522


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that looks tokens up in a table: [batch, tokens, dimensions]. It wants token types and ignores them."""
    table = np.random.default_rng(7).normal(size=(VOCABULARY, DIMENSIONS)).astype(np.float32)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", DIMENSIONS])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "lookup",
        inputs,
        [output],
        [numpy_helper.from_array(table, "table")],
    )
    (tmp_path / "onnx").mkdir()
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "onnx" / "model.onnx",
    )
    shutil.copy(check(default_model_dir()).tokenizer, tmp_path / "tokenizer.json")
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
    ("gone", "words"), [("onnx/model.onnx", "neither model.onnx nor onnx/model.onnx"), ("tokenizer.json", "tokenizer")]
)
def test_a_missing_file_is_named(folder: Path, gone: str, words: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(ModelMissing, match=words):
        onnx_model(folder, config())
