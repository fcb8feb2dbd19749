"""The embedder keeps order, never cuts a text silently, and leaves the event loop free."""

import asyncio
import gc
import subprocess
import sys

import numpy as np
import pytest
from onnxruntime import InferenceSession

from slipway_runtime.knowledge.embedding.embedder import TextTooLong
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.settings import default_model_dir


async def test_vectors_come_in_the_order_of_the_texts(embedder: MiniLM) -> None:
    texts = [f"{'a longer text ' * (number % 5)}number {number}" for number in range(21)]
    together = await embedder.embed_texts(texts)
    alone = np.stack([await embedder.embed_query(text) for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)


async def test_progress_ends_with_all_texts(embedder: MiniLM) -> None:
    seen: list[int] = []
    await embedder.embed_texts(["text"] * 19, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 19


async def test_no_texts_give_no_vectors(embedder: MiniLM) -> None:
    assert (await embedder.embed_texts([])).shape == (0, 384)


async def test_a_text_of_all_that_the_model_reads_is_taken(embedder: MiniLM) -> None:
    assert (await embedder.embed_texts(["word " * 254])).shape == (1, 384)


async def test_a_text_that_the_model_would_cut_is_refused(embedder: MiniLM) -> None:
    with pytest.raises(TextTooLong, match="257 tokens"):
        await embedder.embed_texts(["short", "word " * 255])


async def test_a_long_question_counts_by_its_beginning(embedder: MiniLM) -> None:
    beginning = "how do I drain a node " * 60
    one = await embedder.embed_query(beginning + "and then some")
    other = await embedder.embed_query(beginning + "or something quite different")
    assert one == pytest.approx(other, abs=1e-6)


async def test_the_loop_goes_on_while_the_model_runs(embedder: MiniLM) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await embedder.embed_texts(["a text of some length " * 20] * 16)
    counting.cancel()
    assert turns > 10


def sessions() -> int:
    """How many models are in memory."""
    return sum(type(each) is InferenceSession for each in gc.get_objects())


async def test_closing_frees_the_model_though_it_is_still_held() -> None:
    before = sessions()
    made = MiniLM(default_model_dir())
    await made.load()
    assert sessions() == before + 1
    await made.close()
    assert sessions() == before
    assert made.dimensions == 384


def test_its_libraries_are_loaded_by_its_first_use() -> None:
    code = (
        "import sys\n"
        "from slipway_runtime.knowledge.embedding.minilm import MiniLM\n"
        "from slipway_runtime.settings import default_model_dir\n"
        "model = MiniLM(default_model_dir())\n"
        "before = {'onnxruntime', 'tokenizers'} & sys.modules.keys()\n"
        "model.count_tokens('text')\n"
        "sys.exit(bool(before) or 'tokenizers' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
