"""The largest document that a ConfigMap can hold is cut to its last character, though it is a single line."""

from itertools import pairwise

from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.ingestion.chunking import Chunker
from slipway_runtime.knowledge.ingestion.documents import make_document

CONFIG_MAP_BYTES = 1024 * 1024 - 1
SENTENCE = "A slipway is a ramp on which boats are launched into the water. "


def test_a_mebibyte_less_a_byte_is_cut_whole(embedder: MiniLM) -> None:
    text = (SENTENCE * (CONFIG_MAP_BYTES // len(SENTENCE) + 1))[:CONFIG_MAP_BYTES]
    document = make_document(source="docs", name="big.md", content=text.encode())
    chunks = Chunker(embedder, max_tokens=200, overlap=20).chunks(document)
    assert (chunks[0].start, chunks[-1].end) == (0, len(text.rstrip()))
    assert all(not text[before.end : after.start].strip() for before, after in pairwise(chunks))
