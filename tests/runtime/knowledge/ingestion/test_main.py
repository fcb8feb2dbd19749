"""The ingestion's process: environment in, termination message and exit status out, progress while it runs."""

import asyncio
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from slipway_crds.contract import collection_name
from slipway_crds.runtimeconfig import GitConfig, IngestConfig, IngestReport, SourceConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.knowledge.ingestion.documents import Failure
from slipway_runtime.knowledge.ingestion.main import (
    TERMINATION_BYTES,
    IngestionFailed,
    ProgressBoard,
    failure_message,
    ingest,
    report_message,
    run,
)
from slipway_runtime.knowledge.ingestion.sources import opening
from slipway_runtime.knowledge.vectors.chroma_server import ChromaServer
from slipway_runtime.settings import IngestSettings
from slipway_runtime.store.deferred import read_dsn
from slipway_runtime.store.documents import revisions
from slipway_runtime.store.opening import open_database
from tests.support.git_server import git_server
from tests.support.servers import free_port

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from slipway_runtime.knowledge.ingestion.main import main; sys.exit(main())",
]
TEA = "# Tea\n\nGreen tea is brewed at eighty degrees. Black tea needs boiling water.\n"


@pytest.fixture
def pod(tmp_path: Path, postgres_dsn: str, chroma_url: str) -> dict[str, str]:
    """The environment of an ingestion's pod, with one document mounted."""
    (tmp_path / "sources" / "docs").mkdir(parents=True)
    (tmp_path / "sources" / "docs" / "tea.md").write_text(TEA)
    (tmp_path / "dsn").write_text(postgres_dsn)
    namespace = postgres_dsn.rpartition("/")[2].partition("?")[0].replace("_", "-")
    config = IngestConfig(
        namespace=namespace, index="handbook", max_tokens=100, overlap=10, sources=(SourceConfig(name="docs"),)
    )
    (tmp_path / "config.json").write_text(config.model_dump_json())
    return {
        "SLIPWAY_CONFIG": str(tmp_path / "config.json"),
        "SLIPWAY_SOURCES": str(tmp_path / "sources"),
        "SLIPWAY_STORE_DSN_FILE": str(tmp_path / "dsn"),
        "SLIPWAY_CHROMA_URL": chroma_url,
        "SLIPWAY_TERMINATION_FILE": str(tmp_path / "termination-log"),
        "SLIPWAY_PORT": str(free_port()),
    }


def settings(pod: dict[str, str], monkeypatch: pytest.MonkeyPatch, **changes: str) -> IngestSettings:
    for name, value in {**pod, **changes}.items():
        monkeypatch.setenv(name, value)
    return IngestSettings()


async def ingested(settings: IngestSettings, board: ProgressBoard, *, patience: float = 5.0) -> IngestReport:
    """The report of a process that does it alone."""
    report = await ingest(settings, board, patience=patience)
    assert report is not None
    return report


def config_in(pod: dict[str, str]) -> IngestConfig:
    return IngestConfig.model_validate_json(Path(pod["SLIPWAY_CONFIG"]).read_bytes())


def configure(pod: dict[str, str], config: IngestConfig) -> None:
    Path(pod["SLIPWAY_CONFIG"]).write_text(config.model_dump_json())


def test_the_process_reports_in_its_termination_message(pod: dict[str, str]) -> None:
    done = subprocess.run(COMMAND, env={**os.environ, **pod}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = IngestReport.model_validate_json(Path(pod["SLIPWAY_TERMINATION_FILE"]).read_bytes())
    assert (report.documents, report.chunks, report.failed) == (1, 1, 0)
    assert "eighty" not in done.stdout + done.stderr


def test_a_failure_is_told_in_words_and_by_the_exit_status(pod: dict[str, str]) -> None:
    Path(pod["SLIPWAY_SOURCES"], "docs", "tea.md").write_bytes(b"\xff\xfe\x00")
    done = subprocess.run(COMMAND, env={**os.environ, **pod}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    message = Path(pod["SLIPWAY_TERMINATION_FILE"]).read_text()
    assert message.startswith("NoDocuments: none of the 1 documents could be read: docs/tea.md: not UTF-8")


async def test_a_purge_deletes_the_vectors_of_all_builds_and_no_document(
    pod: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_in(pod)
    builds = []
    for tokens in (100, 50):
        configure(pod, config.model_copy(update={"max_tokens": tokens}))
        builds.append((await ingested(settings(pod, monkeypatch), ProgressBoard())).revision)
    index = f"{config.namespace}/{config.index}"
    vectors = ChromaServer(pod["SLIPWAY_CHROMA_URL"])
    assert [await vectors.count(collection_name(index, build)) for build in builds] == [1, 1]
    configure(pod, config.model_copy(update={"purge": True, "sources": ()}))
    assert (await ingested(settings(pod, monkeypatch), ProgressBoard())).chunks == 0
    assert [await vectors.exists(collection_name(index, build)) for build in builds] == [False, False]
    await vectors.close()
    database = await open_database(read_dsn(settings(pod, monkeypatch).store_dsn_file))
    assert await revisions(database, index) == set(builds), "whoever keeps the store deletes them"
    await database.close()


async def test_a_source_that_is_not_mounted_fails(pod: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    gone = settings(pod, monkeypatch, SLIPWAY_SOURCES="/nowhere")
    with pytest.raises(IngestionFailed, match="/nowhere/docs is not mounted") as raised:
        await ingested(gone, ProgressBoard())
    assert raised.value.reason == "SourceUnavailable"


def write(place: str, *parts: str, text: str) -> None:
    Path(place, *parts).write_text(text)


def ingest_config(pod: dict[str, str]) -> IngestConfig:
    return IngestConfig.model_validate_json(Path(pod["SLIPWAY_CONFIG"]).read_bytes())


async def test_a_git_repository_is_ingested_and_stays_when_its_server_is_gone(
    pod: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").mkdir()
    with git_server(tmp_path / "git") as server:
        server.commit("handbook", {"boats.md": "# Boats\n\nThe ferry leaves at nine in the morning.\n"})
        git = SourceConfig(name="boats", git=GitConfig(url=server.url("handbook")))
        config = ingest_config(pod)
        both = config.model_copy(update={"sources": (git, *config.sources)})
        write(pod["SLIPWAY_CONFIG"], text=both.model_dump_json())
        monkeypatch.setattr(opening, "reach_of", lambda config: AddressRule(loopback=True))
        first = await ingested(settings(pod, monkeypatch), ProgressBoard())
    assert (first.documents, first.unavailable) == (2, ())
    write(pod["SLIPWAY_SOURCES"], "docs", "cats.md", text="# Cats\n\nCats sleep for most of the day.\n")
    second = await ingested(settings(pod, monkeypatch), ProgressBoard())
    assert (second.documents, second.failed) == (3, 0)
    assert len(second.unavailable) == 1
    assert second.unavailable[0].startswith("boats: its server cannot be reached")


async def test_a_chroma_that_stays_away_fails(pod: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable = settings(pod, monkeypatch, SLIPWAY_CHROMA_URL=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(IngestionFailed, match="gave up after 0 s: Chroma cannot be reached"):
        await ingested(unavailable, ProgressBoard(), patience=0)


async def test_a_store_that_stays_away_fails(pod: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable = settings(pod, monkeypatch, SLIPWAY_STORE_DSN_FILE="/nowhere/dsn")
    with pytest.raises(IngestionFailed, match="gave up after 0 s: waiting for the store's DSN"):
        await ingested(unavailable, ProgressBoard(), patience=0)


async def test_a_store_that_comes_late_is_waited_for(pod: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    late = pod["SLIPWAY_STORE_DSN_FILE"] + "-late"
    waiting = settings(pod, monkeypatch, SLIPWAY_STORE_DSN_FILE=late)
    running = asyncio.create_task(ingested(waiting, ProgressBoard(), patience=60))
    await asyncio.sleep(0)
    os.rename(pod["SLIPWAY_STORE_DSN_FILE"], late)
    assert (await running).documents == 1


async def test_without_the_model_it_says_what_to_run(
    pod: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(IngestionFailed, match="make model"):
        await ingested(settings(pod, monkeypatch, SLIPWAY_MODEL_DIR=str(tmp_path / "none")), ProgressBoard())


async def test_pods_of_an_indexed_job_share_an_ingestion(pod: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write(pod["SLIPWAY_SOURCES"], "docs", f"tea-{number}.md", text=f"# Tea {number}\n\nIt is brewed.\n")
    monkeypatch.setenv("SLIPWAY_SHARDS", "2")
    monkeypatch.setenv("SLIPWAY_INGESTION", "uid-of-the-job")
    first = settings(pod, monkeypatch, SLIPWAY_SHARD="1")
    assert await run(first) == 0
    assert orjson.loads(first.termination_file.read_bytes()) == {"shard": 1, "of": 2}
    last = settings(pod, monkeypatch, SLIPWAY_SHARD="0")
    assert await run(last) == 0
    report = IngestReport.model_validate_json(last.termination_file.read_bytes())
    assert (report.documents, report.chunks, report.failed) == (6, 6, 0)


def test_progress_is_served_while_it_runs(pod: dict[str, str]) -> None:
    for number in range(60):
        Path(pod["SLIPWAY_SOURCES"], "docs", f"tea-{number}.md").write_text(f"# Tea {number}\n\nIt is brewed.\n\n")
    process = subprocess.Popen(COMMAND, env={**os.environ, **pod}, stdout=subprocess.DEVNULL)
    seen: list[dict[str, Any]] = []
    while process.poll() is None:
        progress = read_progress(pod)
        seen += [progress] if progress else []
    assert process.returncode == 0
    counted = [progress for progress in seen if progress["total"]]
    assert counted
    assert all(0 <= progress["done"] <= progress["total"] == 61 for progress in counted)
    text = "{done}/{total} documents, {chunks} chunks"
    assert all(progress["text"] == text.format_map(progress) for progress in seen)


def read_progress(pod: dict[str, str]) -> dict[str, Any] | None:
    """What the process says of its progress; None while it does not listen."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{pod['SLIPWAY_PORT']}/progress", timeout=5) as response:
            progress: dict[str, Any] = orjson.loads(response.read())
            return progress
    except OSError:
        return None


def test_a_report_keeps_to_what_a_termination_message_holds() -> None:
    failures = tuple(str(Failure("docs", f"{number}-ü.bin", "not UTF-8 text " * 20)) for number in range(20))
    report = IngestReport(revision="r", fingerprint="f", documents=1, chunks=1, failed=900, failures=failures)
    message = report_message(report)
    assert len(message.encode()) <= TERMINATION_BYTES
    told = orjson.loads(message)
    assert told["failed"] == 900
    assert 0 < len(told["failures"]) < 20


def test_a_failure_keeps_to_it_too() -> None:
    message = failure_message(IngestionFailed("IngestionFailed", "ü" * 5000))
    assert len(message.encode()) <= TERMINATION_BYTES
    assert message.startswith("IngestionFailed: üü")
