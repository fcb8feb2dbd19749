"""Documents in a git repository: the newest commit of a branch, fetched without its history."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from dulwich.client import HTTPUnauthorized, Urllib3HttpGitClient
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.object_store import iter_tree_contents, peel_sha
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.repo import Repo

from slipway_crds.runtimeconfig import GitConfig
from slipway_runtime.addresses import ForbiddenAddress
from slipway_runtime.knowledge.ingestion.sources.contract import (
    MOST_BYTES,
    MOST_DOCUMENTS,
    NOTHING,
    DocumentRef,
    LoadedDocument,
    NotLoaded,
    SourceUnavailable,
    too_large,
)
from slipway_runtime.knowledge.ingestion.sources.guarded_pool import pool_manager
from slipway_runtime.knowledge.ingestion.sources.paths import chosen
from slipway_runtime.knowledge.ingestion.sources.servers import SourceServer

PACK_BYTES = 2**30
"""That a repository's newest commit may take in transfer."""
LFS = b"version https://git-lfs.github.com/spec/"
"""With which a file begins that is kept elsewhere by Git LFS."""
TOKEN_USER = "git"
"""Servers that take a token as password take any user with it."""


class _TooMuch(Exception):
    """The server sent more than `PACK_BYTES`."""


@dataclass
class GitRepository:
    """One branch or tag of a repository.

    Args:
        server: how the server is reached.
        folder: where the repository may be kept meanwhile.
    """

    name: str
    config: GitConfig
    server: SourceServer
    folder: Path
    _repo: Repo | None = None

    async def list(self, known: Mapping[str, str] = NOTHING) -> AsyncIterator[DocumentRef]:
        """See `DocumentSource`."""
        for path, blob in await asyncio.to_thread(self._fetch):
            yield DocumentRef(self.name, path, blob.decode())

    async def load(self, ref: DocumentRef) -> LoadedDocument:
        """See `DocumentSource`."""
        content = await asyncio.to_thread(self._read, ref.version.encode())
        if len(content) > MOST_BYTES:
            raise too_large(len(content))
        if content.startswith(LFS):
            raise NotLoaded("its content is in Git LFS, which is not read: put the file itself into the repository")
        return LoadedDocument(ref, content)

    def close(self) -> None:
        """Let go of what was fetched."""
        if self._repo is not None:
            self._repo.close()
            self._repo = None

    def _read(self, blob: bytes) -> bytes:
        assert self._repo is not None, "list first"
        try:
            found = self._repo.object_store[ObjectID(blob)]
        except KeyError:
            raise too_large() from None  # the filter left it out
        assert isinstance(found, Blob)
        return found.data

    def _fetch(self) -> Sequence[tuple[str, bytes]]:
        """The documents, by path, with the ids of their blobs."""
        with _words():
            credentials = self.server.credentials()
            user, colon, password = (credentials or "").partition(":")
            client = Urllib3HttpGitClient(
                self.config.url,
                pool_manager=pool_manager(self.server, self.config.url),
                username=(user if colon else TOKEN_USER) if credentials else None,
                password=(password if colon else user) if credentials else None,
                thin_packs=False,
            )
            self.close()
            self._repo = Repo.init_bare(tempfile.mkdtemp(dir=self.folder))
            commit = _fetch_commit(client, self._repo, self.config.ref)
        return self._documents(commit)

    def _documents(self, commit: Commit) -> Sequence[tuple[str, bytes]]:
        assert self._repo is not None
        wanted, found = chosen(self.config.paths), []
        for entry in iter_tree_contents(self._repo.object_store, commit.tree):
            path = (entry.path or b"").decode(errors="replace")
            if entry.mode is not None and S_ISREG(entry.mode) and entry.sha is not None and wanted(path):
                found.append((path, bytes(entry.sha)))
        if len(found) > MOST_DOCUMENTS:
            raise SourceUnavailable(
                f"{len(found)} files match git.paths, and at most {MOST_DOCUMENTS} are read: choose fewer of them"
            )
        return sorted(found)


def _fetch_commit(client: Any, repo: Repo, ref: str) -> Commit:
    """Fetch the newest commit of a branch or a tag, without files that are too large where the server can do so."""
    pack, commit_pack, abort = repo.object_store.add_pack()
    wanted: list[bytes] = []

    def wants(refs: Mapping[bytes, bytes], depth: int | None = None) -> list[bytes]:
        wanted.append(_ref(refs, ref))
        return wanted

    try:
        result = client.fetch_pack(
            "",
            wants,
            repo.get_graph_walker(),
            _bounded(pack.write),
            depth=1,
            filter_spec=f"blob:limit={MOST_BYTES}".encode(),
        )
    except BaseException:
        abort()
        raise
    commit_pack()
    repo.update_shallow(result.new_shallow, result.new_unshallow)
    found = peel_sha(repo.object_store, ObjectID(wanted[0]))[1]
    if not isinstance(found, Commit):
        raise SourceUnavailable(f"git.ref {ref} is no branch and no tag of a commit: correct it")
    return found


def _ref(refs: Mapping[bytes, bytes], name: str) -> bytes:
    for each in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        if each.encode() in refs:
            return refs[each.encode()]
    if not refs:
        raise SourceUnavailable("the repository is empty: push a commit")
    raise SourceUnavailable(f"the repository has no branch and no tag {name}: correct git.ref")


def _bounded(write: Callable[[bytes], Any]) -> Callable[[bytes], int]:
    """Write, and stop where a repository sends more than it may."""
    spent = 0

    def counted(data: bytes) -> int:
        nonlocal spent
        spent += len(data)
        if spent > PACK_BYTES:
            raise _TooMuch
        write(data)
        return len(data)

    return counted


@contextmanager
def _words() -> Iterator[None]:
    """Turn what goes wrong into what to do about it. No text of a server is repeated."""
    try:
        yield
    except HTTPUnauthorized:
        raise SourceUnavailable(
            "its server refused the credentials: write a token, or user:password, that may read the repository into "
            "the Secret that git.credentialsRef names"
        ) from None
    except NotGitRepository:
        raise SourceUnavailable(
            "there is no git repository at git.url, or it is not public: correct it, or give git.credentialsRef"
        ) from None
    except _TooMuch:
        raise SourceUnavailable(
            f"the repository's files take more than {PACK_BYTES // 2**30} GiB: split it, or give its documents alone"
        ) from None
    except ForbiddenAddress as error:
        raise SourceUnavailable(str(error)) from None
    except (GitProtocolError, HangupException, OSError) as error:
        raise SourceUnavailable(
            f"its server cannot be reached or does not speak git ({type(error).__name__})"
        ) from error
