"""An ingestion holds one document at a time, however much its sources hold."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

MEBIBYTE = 2**20
SOURCE_BYTES = 200 * MEBIBYTE
DOCUMENTS = 2000
LIMIT_BYTES = 512 * MEBIBYTE

SCRIPT = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    import numpy as np
    from slipway_crds.runtimeconfig import IngestConfig, SourceConfig
    from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
    from slipway_runtime.knowledge.ingestion.sources import DocumentRef, LoadedDocument
    from slipway_runtime.store.opening import open_database

    folder, documents, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    headings = sys.argv[4] == "headings"

    class Generated:
        name = "docs"
        async def list(self, known=None):
            for number in range(documents):
                yield DocumentRef("docs", f"{number}.md", str(number))
        async def load(self, ref):
            return LoadedDocument(ref, self.content(ref))
        def content(self, ref):
            if headings and int(ref.version):
                return "\\n".join(f"# Heading {number} \U0001f6f6" for number in range(size // 16)).encode()
            sentence = f"Sentence of document {ref.version} about slipways and boats. "
            return (sentence * (size // len(sentence) + 1))[:size].encode()

    class Stub:
        identity, dimensions = {"model": "stub"}, 8
        def count_tokens(self, text):
            return text.count(" ") + 1
        def token_starts(self, text):
            return [0, *(place + 1 for place, character in enumerate(text) if character == " ")]
        async def embed_texts(self, texts, *, progress=None):
            return np.zeros((len(texts), self.dimensions), dtype=np.float32)

    class Counted:
        def __init__(self):
            self.vectors = 0
        async def upsert(self, collection, ids, vectors, attributes=None):
            self.vectors += len(ids)
        async def delete(self, collection, ids):
            assert not ids
        async def count(self, collection):
            return self.vectors

    async def main():
        database = await open_database(f"sqlite:///{folder}/store.db")
        config = IngestConfig(
            namespace="demo", index="big", max_tokens=200, overlap=20, sources=(SourceConfig(name="docs"),)
        )
        vectors = Counted()
        report = await Ingestion(config, database=database, vectors=vectors, embedder=Stub()).run([Generated()])
        await database.close()
        assert report.documents == documents and report.chunks == vectors.vectors
        peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        print(report.chunks, int(peak.split()[1]) * 1024)

    asyncio.run(main())
""")


@pytest.mark.deep
@pytest.mark.parametrize("documents", ["sentences", "headings"])
def test_two_hundred_megabytes_stay_below_half_a_gibibyte(tmp_path: Path, documents: str) -> None:
    """Also where all but the first document are headings, which are stored at the end."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(DOCUMENTS), str(SOURCE_BYTES // DOCUMENTS), documents]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    chunks, peak = map(int, done.stdout.split())
    assert chunks > (DOCUMENTS if documents == "sentences" else 0)
    assert peak < LIMIT_BYTES
