"""What sources list and load."""

from pathlib import Path

import pytest

from slipway_runtime.knowledge.ingestion.sources import DocumentSource, FolderSource, ItemsSource, SourceUnavailable


async def listed(source: DocumentSource) -> dict[str, str]:
    return {ref.name: ref.version async for ref in source.list()}


async def test_a_mounted_config_map_is_read_without_its_links(tmp_path: Path) -> None:
    real = tmp_path / "..2026_01_01"
    real.mkdir()
    (real / "a.md").write_text("text")
    (tmp_path / "..data").symlink_to(real)
    (tmp_path / "a.md").symlink_to(tmp_path / "..data" / "a.md")
    source = FolderSource("docs", tmp_path)
    refs = [ref async for ref in source.list()]
    assert [ref.key for ref in refs] == [("docs", "a.md")]
    assert (await source.load(refs[0])).content == b"text"


async def test_a_folder_that_is_not_mounted_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="is not mounted"):
        await listed(FolderSource("docs", tmp_path / "missing"))


async def test_the_version_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"one")
    folder = FolderSource("docs", tmp_path)
    first = await listed(folder)
    assert first == await listed(ItemsSource("docs", {"a.md": b"one"}))
    (tmp_path / "a.md").write_bytes(b"two")
    assert await listed(folder) != first


async def test_documents_are_listed_in_the_order_of_their_names() -> None:
    assert list(await listed(ItemsSource("docs", {"b": b"", "a": b"", "c": b""}))) == ["a", "b", "c"]


@pytest.mark.proves("VectorIndex.sources[].volume.paths")
async def test_a_volume_is_looked_into_and_links_lead_nowhere_else(tmp_path: Path) -> None:
    volume, secret = tmp_path / "volume", tmp_path / "dsn"
    (volume / "deep").mkdir(parents=True)
    secret.write_text("secret")
    (volume / "deep" / "a.md").write_text("text")
    (volume / "deep" / "a.bin").write_text("x")
    (volume / "out.md").symlink_to(secret)
    source = FolderSource("docs", volume, ("**/*.md",))
    refs = [ref async for ref in source.list()]
    assert [ref.name for ref in refs] == ["deep/a.md"]
    assert (await source.load(refs[0])).content == b"text"
