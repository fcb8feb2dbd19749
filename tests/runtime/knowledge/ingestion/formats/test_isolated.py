"""A reader in a process of its own gives what one in this process gives, and outlives no file that exhausts it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from slipway_runtime.knowledge.ingestion.formats.choosing import FileFormat
from slipway_runtime.knowledge.ingestion.formats.isolated import IsolatedReader
from slipway_runtime.knowledge.ingestion.formats.parsed import Unreadable
from slipway_runtime.knowledge.ingestion.formats.reading import parse
from tests.support.document_files import pdf, slides, word


@pytest.fixture
async def reader() -> AsyncIterator[IsolatedReader]:
    made = IsolatedReader()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (FileFormat.PDF, pdf("One page.", "Another one.", title="T", outline=[("One", 0)])),
        (FileFormat.WORD, word()),
        (FileFormat.SLIDES, slides()),
        (FileFormat.HTML, b"<h1>Pumps</h1><p>They move water."),
    ],
)
async def test_it_gives_the_same(reader: IsolatedReader, kind: FileFormat, content: bytes) -> None:
    assert await reader.read(kind, content) == parse(kind, content)


async def test_the_reason_comes_over_and_the_next_file_is_read(reader: IsolatedReader) -> None:
    with pytest.raises(Unreadable, match="remove its password"):
        await reader.read(FileFormat.PDF, pdf("secret", password="secret"))
    assert (await reader.read(FileFormat.PDF, pdf("Not secret."))).text == "Not secret.\n"


async def test_a_page_that_is_nested_too_deeply_is_refused(reader: IsolatedReader) -> None:
    with pytest.raises(Unreadable):
        await reader.read(FileFormat.HTML, b"<div>" * 1_000_000 + b"deep")
    assert (await reader.read(FileFormat.HTML, b"<p>flat")).text == "flat\n"


async def test_a_file_that_takes_too_long_ends_its_process_only() -> None:
    reader = IsolatedReader(patience=0.01)  # less than a process needs to start
    with pytest.raises(Unreadable, match="takes more than"):
        await reader.read(FileFormat.HTML, b"<p>words")
    patient = IsolatedReader()
    assert (await patient.read(FileFormat.HTML, b"<p>words")).text == "words\n"
    await patient.close()


async def test_files_asked_for_at_once_are_read_one_by_one(reader: IsolatedReader) -> None:
    texts = [await each for each in [reader.read(FileFormat.HTML, b"<p>%d" % number) for number in range(5)]]
    assert [each.text for each in texts] == [f"{number}\n" for number in range(5)]
    assert asyncio.current_task() is not None
