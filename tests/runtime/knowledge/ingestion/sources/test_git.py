"""Documents of a git repository, read from git's own server."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.contract import SOURCE_CA_FILE, SOURCE_CREDENTIALS_FILE
from slipway_crds.runtimeconfig import GitConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.sources import NotLoaded, SourceUnavailable, contract
from slipway_runtime.knowledge.ingestion.sources import git as git_module
from slipway_runtime.knowledge.ingestion.sources.git import GitRepository
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer
from tests.support.git_server import GitServer, git_server
from tests.support.self_signed import self_signed

HERE = AddressRule(loopback=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "git").mkdir()
    with git_server(tmp_path / "git") as server:
        yield server


def repository(server: GitServer, tmp_path: Path, *, reach: AddressRule = HERE, **config: Any) -> GitRepository:
    """The repository `handbook`, fetched below the test's folder."""
    (tmp_path / "fetched").mkdir(exist_ok=True)
    made = GitConfig(url=server.url("handbook"), **config)
    place = SourceServer(reach, tmp_path / "files", signed_in=made.credentials)
    return GitRepository("docs", made, place, tmp_path / "fetched")


async def texts(source: GitRepository) -> dict[str, str]:
    with closing(source):
        return {ref.name: (await source.load(ref)).content.decode() async for ref in source.list()}


async def versions(source: GitRepository) -> dict[str, str]:
    with closing(source):
        return {ref.name: ref.version async for ref in source.list()}


@pytest.mark.proves("VectorIndex.sources[].git.url", "VectorIndex.sources[].git.paths")
async def test_files_are_documents_and_their_versions_follow_their_content(server: GitServer, tmp_path: Path) -> None:
    server.commit("handbook", {"docs/tea.md": "Tea.", "docs/deep/cats.md": "Cats.", "logo.png": b"\x89", ".env": "x"})
    source = repository(server, tmp_path, paths=("docs/**/*.md",))
    assert await texts(source) == {"docs/deep/cats.md": "Cats.", "docs/tea.md": "Tea."}
    before = await versions(source)
    server.commit("handbook", {"docs/tea.md": "Green tea.", "docs/deep/cats.md": None})
    assert await texts(source) == {"docs/tea.md": "Green tea."}
    assert before["docs/tea.md"] not in (await versions(source)).values()


@pytest.mark.proves("VectorIndex.sources[].git.ref")
async def test_a_branch_or_a_tag_is_read(server: GitServer, tmp_path: Path) -> None:
    server.commit("handbook", {"a.md": "one"})
    server.git("tag", "--annotate", "--message=first", "v1", at=server.folder / "handbook.work")
    server.git("push", "--quiet", "origin", "v1", at=server.folder / "handbook.work")
    server.commit("handbook", {"a.md": "two"}, branch="next")
    assert await texts(repository(server, tmp_path)) == {"a.md": "one"}
    assert await texts(repository(server, tmp_path, ref="next")) == {"a.md": "two"}
    assert await texts(repository(server, tmp_path, ref="v1")) == {"a.md": "one"}
    with pytest.raises(SourceUnavailable, match=r"no branch and no tag gone: correct git\.ref"):
        await texts(repository(server, tmp_path, ref="gone"))


async def test_only_the_newest_commit_is_fetched(server: GitServer, tmp_path: Path) -> None:
    for number in range(3):
        server.commit("handbook", {"a.md": f"version {number}"})
    await texts(repository(server, tmp_path))
    packs = list((tmp_path / "fetched").rglob("*.pack"))
    # A commit, its tree and one file.
    assert [int.from_bytes(pack.read_bytes()[8:12], "big") for pack in packs] == [3]


@pytest.mark.proves("VectorIndex.sources[].git.credentialsRef.key")
@pytest.mark.parametrize(("password", "given"), [("reader:secret", "reader:secret"), ("git:a-token", "a-token")])
async def test_a_password_or_a_token_opens_a_repository(
    server: GitServer, tmp_path: Path, password: str, given: str
) -> None:
    server.commit("handbook", {"a.md": "text"})
    server.password = password
    source = repository(server, tmp_path, credentials=True)
    with pytest.raises(SourceUnavailable, match="create the Secret that credentialsRef names"):
        await texts(source)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / SOURCE_CREDENTIALS_FILE).write_text("wrong:password")
    with pytest.raises(SourceUnavailable, match="refused the credentials"):
        await texts(source)
    (tmp_path / "files" / SOURCE_CREDENTIALS_FILE).write_text(f"{given}\n")
    assert await texts(source) == {"a.md": "text"}


@pytest.mark.proves("VectorIndex.sources[].git.tls.caBundleRef.key")
async def test_a_server_is_checked_by_the_given_certificates(tmp_path: Path) -> None:
    for folder in ("tls", "git", "files", "fetched"):
        (tmp_path / folder).mkdir()
    certificate, key = self_signed(tmp_path / "tls")
    with git_server(tmp_path / "git", tls=(certificate, key)) as server:
        server.commit("handbook", {"a.md": "text"})
        config = GitConfig(url=server.url("handbook"))
        place = SourceServer(HERE, tmp_path / "files", ca=True)
        checked = GitRepository("docs", config, place, tmp_path / "fetched")
        with pytest.raises(SourceUnavailable, match=r"create the ConfigMap that tls\.caBundleRef names"):
            await texts(checked)
        (tmp_path / "files" / SOURCE_CA_FILE).write_bytes(certificate.read_bytes())
        assert await texts(checked) == {"a.md": "text"}
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await texts(dataclasses.replace(checked, server=SourceServer(HERE, tmp_path / "files")))


async def test_a_redirect_leads_to_no_metadata_service(server: GitServer, tmp_path: Path) -> None:
    server.commit("handbook", {"a.md": "text"})
    server.redirect = "http://169.254.169.254"
    with pytest.raises(SourceUnavailable, match=r"169\.254\.169\.254"):
        await texts(repository(server, tmp_path))


async def test_a_private_address_has_to_be_opened(server: GitServer, tmp_path: Path) -> None:
    server.commit("handbook", {"a.md": "text"})
    with pytest.raises(SourceUnavailable, match="this machine itself"):
        await texts(repository(server, tmp_path, reach=AddressRule()))


async def test_a_repository_that_is_not_there_is_unavailable(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"there is no git repository at git\.url"):
        await texts(repository(server, tmp_path))
    server.close()
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        await texts(repository(server, tmp_path))


async def test_what_is_too_large_or_elsewhere_is_left_out_by_name(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_module, "MOST_BYTES", 1000)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    server.commit("handbook", {"a.md": "text", "big.md": "x" * 2000, "lfs.md": pointer})
    for filtered in ("true", "false"):
        server.git("config", "uploadpack.allowFilter", filtered, at=server.folder / "handbook.git")
        with closing(repository(server, tmp_path)) as source:
            refs = {ref.name: ref async for ref in source.list()}
            assert (await source.load(refs["a.md"])).content == b"text"
            with pytest.raises(NotLoaded, match="too large"):
                await source.load(refs["big.md"])
            with pytest.raises(NotLoaded, match="Git LFS"):
                await source.load(refs["lfs.md"])


async def test_a_repository_that_exceeds_its_bounds_is_refused_by_words(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.commit("handbook", {f"{number}.md": f"text {number}" for number in range(20)})
    monkeypatch.setattr(git_module, "MOST_DOCUMENTS", 10)
    with pytest.raises(SourceUnavailable, match=r"20 files match git\.paths, and at most 10 are read"):
        await texts(repository(server, tmp_path))
    monkeypatch.setattr(git_module, "PACK_BYTES", 100)
    with pytest.raises(SourceUnavailable, match="take more than"):
        await texts(repository(server, tmp_path))
    assert contract.MOST_DOCUMENTS >= 50_000
