"""Documents become ConfigMaps that an API server takes, or are refused with what to do instead."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import handbook
from slipway_crds.manifests import load_paths
from slipway_crds.validate import validate_set

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "handbook.py"


def run(docs: Path, to: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--docs", str(docs), "--to", str(to)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(path.read_text())
    return value


def test_a_folder_becomes_a_valid_example(tmp_path: Path) -> None:
    docs, to = tmp_path / "docs", tmp_path / "to"
    (docs / "guide" / ".hidden").mkdir(parents=True)
    (docs / "a.md").write_text("# A\n\ntrailing space \nGrüße\n")
    (docs / "guide" / "b c.txt").write_text("text")
    (docs / "guide" / ".hidden" / "d.md").write_text("hidden")
    (docs / "picture.png").write_bytes(b"\x89PNG")
    done = run(docs, to)
    assert done.returncode == 0
    assert done.stdout == f"1 file is left out in {docs}: only .markdown, .md, .mdx, .text, .txt are taken\n"
    data = read(to / "documents-1.yaml")["data"]
    assert data == {"a.md": "# A\n\ntrailing space \nGrüße\n", "guide-b-c.txt": "text"}
    assert validate_set(load_paths([to])) == []


def test_many_documents_become_several_config_maps_that_the_index_reads(tmp_path: Path) -> None:
    docs, to = tmp_path / "docs", tmp_path / "to"
    docs.mkdir()
    for number in range(5):
        (docs / f"{number}.txt").write_text("a" * 400_000)
    done = run(docs, to)
    assert (done.returncode, done.stdout) == (0, "")
    maps = [read(path) for path in sorted(to.glob("documents-*.yaml"))]
    assert [sorted(each["data"]) for each in maps] == [["0.txt", "1.txt"], ["2.txt", "3.txt"], ["4.txt"]]
    sources = read(to / "vectorindex.yaml")["spec"]["sources"]
    assert [source["configMap"]["name"] for source in sources] == [each["metadata"]["name"] for each in maps]
    assert all(path.stat().st_size <= 1024 * 1024 for path in to.glob("documents-*.yaml"))
    assert validate_set(load_paths([to])) == []


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "holds no text: files ending in"),
        ({"a.txt": b"caf\xe9"}, "a.txt is not UTF-8 text: convert it"),
        ({"a.txt": b"a" * 1_000_000}, "a.txt is larger than 900 KiB"),
        ({f"{number}.txt": b"a" * 900_000 for number in range(6)}, "write a VectorIndex of your own"),
        ({"a b.txt": b"x", "a-b.txt": b"y"}, "both become the key a-b.txt"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, content in files.items():
        (docs / name).write_bytes(content)
    done = run(docs, tmp_path / "to")
    assert done.returncode == 1
    assert why in done.stderr
    assert not (tmp_path / "to").exists()


def test_what_was_written_before_and_is_gone_is_removed_and_found_stale(tmp_path: Path) -> None:
    files = handbook.document_files({"a.md": "text\n"}, header="")
    handbook.write(tmp_path, {**files, "documents-2.yaml": "old"})
    assert handbook.differences(tmp_path, files) == ["documents-2.yaml"]
    handbook.write(tmp_path, files)
    assert handbook.differences(tmp_path, files) == []
    (tmp_path / "documents-1.yaml").write_text("edited")
    assert handbook.differences(tmp_path, files) == ["documents-1.yaml"]


def test_the_example_is_valid() -> None:
    assert validate_set(load_paths([ROOT / "examples" / "handbook"])) == []


def test_the_release_notes_are_not_in_the_example() -> None:
    assert (ROOT / "docs" / "release-notes.md").is_file()
    assert "release-notes.md" not in read(handbook.EXAMPLE / "documents-1.yaml")["data"]
