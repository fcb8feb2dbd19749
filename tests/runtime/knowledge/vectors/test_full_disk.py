"""A real Chroma on a disk that is too small: an ingestion fails in words, agents go on, and space lets it recover."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.vectors.chroma_embedded import open_embedded_chroma
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer as Client
from slipway_runtime.knowledge.vectors.contract import VectorsFull, VectorStore
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.pointers import read_pointer
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.servers import ChromaServer

CATS = "# Cats\n\nCats sleep for most of the day. They hunt at night.\n"
SHIPS = "".join(f"# Ship {number}\n\nShip {number} has {number} masts.\n\n" for number in range(40))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB, where Chroma keeps its data."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    folder = tmp_path / "data"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def enlarge(disk: Path) -> None:
    """Give the disk 64 MiB."""
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)


async def test_a_full_disk_under_chroma_fails_the_ingestion_and_space_mends_it(
    disk: Path, tmp_path: Path, embedder: MiniLM
) -> None:
    server = ChromaServer(tmp_path)
    server.start()
    try:
        await _fills_and_mends(disk, tmp_path, Client(server.url), embedder)
    finally:
        server.stop()


async def test_so_does_one_under_the_chroma_of_slipway_dev(disk: Path, tmp_path: Path, embedder: MiniLM) -> None:
    await _fills_and_mends(disk, tmp_path, await open_embedded_chroma(disk), embedder)


async def _fills_and_mends(disk: Path, tmp_path: Path, client: VectorStore, embedder: MiniLM) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/store.db")
    knowledge = Knowledge(database, client, embedder, "demo")
    try:
        before = await knowledge.ingestion().run(contents(cats_md=CATS))
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"x" * (1 << 20))
        with pytest.raises(VectorsFull, match="disk is full"):  # at once: nobody would wait an hour for space
            await knowledge.ingestion(patience=3600).run(contents(cats_md=CATS, ships_md=SHIPS))
        pointer = await read_pointer(database, "demo/handbook")
        assert pointer is not None
        assert (pointer.revision, pointer.documents) == (before.revision, 1)
        found = await knowledge.retriever().retrieve("when do cats sleep?", [entry()])
        assert found[0].chunk.document == "cats.md"
        await asyncio.to_thread(enlarge, disk)
        assert (await knowledge.ingestion().run(contents(cats_md=CATS, ships_md=SHIPS))).documents == 2
    finally:
        await client.close()
        await database.close()
