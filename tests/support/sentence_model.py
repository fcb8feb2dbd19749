"""A sentence model small enough to be made in a test: it looks tokens up in a table of random vectors."""

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from slipway_runtime.knowledge.embedding.model_files import check, sha256
from slipway_runtime.settings import default_model_dir

DIMENSIONS = 4
VOCABULARY = 30_522


def sentence_model(
    folder: Path, *, name: str = "onnx/model.onnx", dimensions: int = DIMENSIONS, seed: int = 7, reads: int = 0
) -> str:
    """Write the model and its tokenizer: [batch, tokens, dimensions]. It wants token types and ignores them.

    Args:
        reads: tokens that it reads at most; 0: any number.

    Returns:
        The digest of its graph, as manifests have it.
    """
    random = np.random.default_rng(seed)
    tables = {"table": random.normal(size=(VOCABULARY, dimensions)).astype(np.float32)}
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["words" if reads else "last_hidden_state"])]
    if reads:
        tables |= {
            "positions": random.normal(size=(reads, dimensions)).astype(np.float32),
            "one": np.array(1, np.int64),
            "zero": np.array(0, np.int64),
        }
        nodes += [
            helper.make_node("Shape", ["input_ids"], ["shape"]),
            helper.make_node("Gather", ["shape", "one"], ["length"]),
            helper.make_node("Range", ["zero", "length", "one"], ["places"]),
            helper.make_node("Gather", ["positions", "places"], ["placed"]),
            helper.make_node("Add", ["words", "placed"], ["last_hidden_state"]),
        ]
    graph = helper.make_graph(
        nodes,
        "lookup",
        [
            helper.make_tensor_value_info(each, TensorProto.INT64, ["batch", "tokens"])
            for each in ("input_ids", "attention_mask", "token_type_ids")
        ],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", dimensions])],
        [numpy_helper.from_array(values, each) for each, values in tables.items()],
    )
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    shutil.copy(check(default_model_dir()).tokenizer, folder / "tokenizer.json")
    return f"sha256:{sha256(file)}"
