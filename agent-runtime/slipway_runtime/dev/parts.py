"""What the local driver is made of: one folder with a SQLite file and an embedded Chroma, one embedder, one host."""

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway_runtime.addresses import AddressRule
from slipway_runtime.agents.calling import AgentCalls
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.dev.agent_plugins import local_places
from slipway_runtime.dev.model_files import LocalModelFiles
from slipway_runtime.dev.plugin_pods import PluginPods
from slipway_runtime.dev.sentence_models import local_models
from slipway_runtime.dev.sharing import OneAtATime, is_postgres, one_at_a_time, shared_signer
from slipway_runtime.dev.source_files import LocalSourceFiles
from slipway_runtime.dev.vectors import LocalVectors
from slipway_runtime.dev.workers import LocalWorker
from slipway_runtime.gateway.a2a.pushing import pushing
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.permissions import Everything
from slipway_runtime.gateway.plugins.source import ClusterAccess
from slipway_runtime.gateway.routes import RouteTable
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentitySigner, IdentityVerifier, InvalidKey
from slipway_runtime.knowledge.documents.opening import TextStores
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.opening import Embedders
from slipway_runtime.knowledge.retrieval.reranking import Rerankers
from slipway_runtime.knowledge.vectors.chroma_embedded import open_embedded_chroma
from slipway_runtime.settings import GatewaySettings, cache_dir
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database

LOCK = "lock"
SEED = "identity.seed"
SEED_BYTES = 32


class FolderInUse(Exception):
    """Another `slipway dev` has the data folder; the text says what to do."""


@dataclass(frozen=True)
class Parts:
    """The parts that live as long as the process; what they serve is changed by every reload."""

    dependencies: AgentDependencies
    embedders: Embedders
    host: Host
    gateway: Gateway
    model_files: LocalModelFiles
    plugin_pods: PluginPods
    worker: LocalWorker
    plugin_code: Path
    """A folder for the code of plugins around agents."""
    source_files: LocalSourceFiles
    vectors: LocalVectors
    ingesting: OneAtATime
    """What ingestions are done within."""


def data_folder(files: Iterable[Path]) -> Path:
    """Where the sessions and indexes of these manifests are kept: one folder for each set of paths."""
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) / "slipway" if state else cache_dir()
    digest = hashlib.sha256("\0".join(sorted(str(file.resolve()) for file in files)).encode())
    return base / "dev" / digest.hexdigest()[:16]


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """The folder, made if need be and kept to this process: two would corrupt Chroma's files.

    It holds questions, answers and documents, so whatever this process makes meanwhile, here and by SQLite and Chroma,
    is for its user alone: files 0600, folders 0700.

    Raises:
        FolderInUse: if another process has it.
    """
    folder = folder.resolve()
    with _private_files():
        folder.mkdir(parents=True, exist_ok=True)
        with _lock_of(folder):
            yield folder


@contextmanager
def _private_files() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _lock_of(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(
                f"another `slipway dev` serves these manifests from {folder}: stop it, or give --data another folder"
            ) from None
        yield


def kept_signer(folder: Path) -> IdentitySigner:
    """The signer of this folder, made by the first process: statements of runs that wait outlive the process.

    Raises:
        InvalidKey: if the folder's file holds no seed.
    """
    file = folder / SEED
    if not file.exists():
        handle, draft = tempfile.mkstemp(dir=folder, prefix=f".{SEED}.")  # 0600, and nobody ever sees half of it
        with os.fdopen(handle, "wb") as out:
            out.write(secrets.token_bytes(SEED_BYTES))
            out.flush()
            os.fsync(handle)
        os.replace(draft, file)
    try:
        return IdentitySigner.from_seed(file.read_bytes())
    except InvalidKey as error:
        raise InvalidKey(f"{file}: {error}: remove it, and begin runs of workflows that wait anew") from None


@asynccontextmanager
async def open_parts(
    folder: Path,
    *,
    model: Path,
    delta_delay: float,
    keys: Path | None = None,
    allowed_origins: Sequence[str] = (),
    gateway_url: str = "http://127.0.0.1",
    store: str = "",
) -> AsyncIterator[Parts]:
    """Open everything that is in the folder.

    Args:
        model: folder of the embedding model.
        delta_delay: seconds between two pieces of an answer; for tests.
        keys: file of API keys that the gateway asks for; None for an open one.
        allowed_origins: web origins whose pages may read the gateway's answers.
        gateway_url: where the gateway will listen, for agents that ask others.
        store: DSN of a Postgres in place of the folder's SQLite file; other processes may share it.

    Raises:
        ModelMissing, VectorsUnavailable, StoreUnavailable, InvalidPlace or InvalidKey: if a part cannot be opened.
    """
    dsn = store or f"sqlite:///{folder}/store.db"
    signer, embedder = shared_signer(dsn) if is_postgres(dsn) else kept_signer(folder), MiniLM(model)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(embedder.close)
        database = await open_database(dsn)
        stack.push_async_callback(database.close)
        verifier = IdentityVerifier([signer.public_key])
        host = Host(database, verifier=verifier, host_id="local", delta_delay=delta_delay)
        host.everyone_uploads = keys is None
        gateway = await stack.enter_async_context(_gateway(signer, keys=keys, allowed_origins=allowed_origins))
        # Not in the folder: keys are gone when the process is.
        secret = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-dev-")))
        in_postgres = database if is_postgres(dsn) else None
        services = await stack.enter_async_context(_services(folder, secret, embedder, store=in_postgres))
        calls = AgentCalls(gateway_url)
        stack.push_async_callback(calls.close)
        await embedder.load()
        texts = TextStores(database, connections=services.vectors.folder_of)
        stack.push_async_callback(texts.close)
        model_files = LocalModelFiles(secret / "models", os.environ)
        plugin_code = secret / "agent-plugins"
        dependencies = AgentDependencies(
            database=database,
            embedder=embedder,
            vectors=services.vectors,
            bindings=model_files.of,
            calls=calls,
            embedders=services.embedders,
            rerankers=services.rerankers,
            texts=texts,
            plugins=local_places(plugin_code),
        )
        access = ClusterAccess(signer, loopback=True)
        pods = PluginPods(secret / "plugins", verifier, access, os.environ, gateway_url=gateway_url)
        stack.push_async_callback(pods.close)
        worker = LocalWorker(database, verifier, folder, gateway_url, store=store if is_postgres(dsn) else "")
        stack.push_async_callback(worker.stack.aclose)
        sources = LocalSourceFiles(secret / "sources", os.environ)
        yield Parts(
            dependencies,
            services.embedders,
            host,
            gateway,
            model_files,
            pods,
            worker,
            plugin_code,
            sources,
            services.vectors,
            one_at_a_time(dsn),
        )


@dataclass(frozen=True)
class _Services:
    """What searches ask besides the store."""

    vectors: LocalVectors
    embedders: Embedders
    rerankers: Rerankers


@asynccontextmanager
async def _services(
    folder: Path, secret: Path, embedder: MiniLM, *, store: Database | None
) -> AsyncIterator[_Services]:
    """Open the embedded Chroma, and the way to what connections lead to.

    Args:
        secret: a folder of this process alone, for the files of connections.
        store: if it is a Postgres.
    """
    async with AsyncExitStack() as stack:
        embedded = await open_embedded_chroma(folder / "chroma")
        stack.push_async_callback(embedded.close)
        vectors = LocalVectors(embedded, secret / "connections", os.environ, store=store)
        stack.push_async_callback(vectors.close)
        embedders = Embedders(embedder, connections=vectors.folder_of, models=local_models(os.environ))
        stack.push_async_callback(embedders.close)
        rerankers = Rerankers(connections=vectors.folder_of)
        stack.push_async_callback(rerankers.close)
        yield _Services(vectors, embedders, rerankers)


@asynccontextmanager
async def _gateway(
    signer: IdentitySigner, *, keys: Path | None, allowed_origins: Sequence[str]
) -> AsyncIterator[Gateway]:
    settings = GatewaySettings(
        auth_mode="apikeys" if keys else "open",
        api_keys_file=keys or Path(),
        allowed_origins=tuple(allowed_origins),
    )
    async with assembled(settings, routes=RouteTable(), signer=signer) as gateway:
        gateway.origin_remedy = "start slipway dev with --allow-origin and the origin"
        if not keys:  # nobody has groups then, and the machine's user wrote the manifests
            gateway.policy = Everything()
        gateway.receiver_rule = AddressRule(loopback=True, private=True)
        async with pushing(gateway):
            yield gateway
