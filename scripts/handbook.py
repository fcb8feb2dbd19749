"""Writes documents as ConfigMaps: the handbook example's from `docs/`, or a demo's from any folder.

    scripts/handbook.py            writes examples/handbook/documents-*.yaml
    scripts/handbook.py --check    fails when they are stale
    scripts/handbook.py --docs FOLDER --to FOLDER
                                   writes the whole example with the text and Markdown files of a folder in it

The API server takes objects of up to 1 MiB or so; ConfigMaps here stay well below, and documents are never cut.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "handbook"
NAMESPACE = "demo"
NAME = "handbook"
SUFFIXES = frozenset({".md", ".markdown", ".mdx", ".txt", ".text"})
PART_BYTES = 900 * 1024
TOTAL_BYTES = 5 * 1024 * 1024
KEY_MAX = 253
# History answers no question of a user, and its phrases compete with the pages that do.
NOT_IN_THE_HANDBOOK = frozenset({"release-notes.md"})
HEADER = "# Generated from docs/ by `make generate`. Do not edit.\n"

Documents = Mapping[str, str]


class DocumentsRefused(Exception):
    """The folder cannot be used; the message says why and what to do instead."""


class Dumper(yaml.SafeDumper):
    """Texts as blocks, so that a person can read the manifests."""


def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Several lines as a literal block, anything else as usual."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, represent_text)


def key_of(path: Path) -> str:
    """A ConfigMap's key for a path below the folder: hyphens part folders, and replace what keys may not have.

    Raises:
        DocumentsRefused: if the path is too long for a key.
    """
    key = re.sub(r"[^-._a-zA-Z0-9]", "-", "-".join(path.parts))
    if len(key) > KEY_MAX:
        raise DocumentsRefused(f"the path {path} is longer than {KEY_MAX} characters: shorten it")
    return key


def text_files(folder: Path) -> list[Path]:
    """The text and Markdown files below a folder, in order; hidden files and folders are left out."""
    return [path for path in visible_files(folder) if path.suffix.lower() in SUFFIXES]


def visible_files(folder: Path) -> list[Path]:
    """The files below a folder, in order, but for hidden ones and those in hidden folders."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def left_out(folder: Path) -> str:
    """How many files below a folder are not taken as documents, and which would be; nothing if all are."""
    count = len(visible_files(folder)) - len(text_files(folder))
    files = "1 file is" if count == 1 else f"{count} files are"
    return f"{files} left out in {folder}: only {', '.join(sorted(SUFFIXES))} are taken" if count else ""


def read_documents(folder: Path) -> dict[str, str]:
    """The documents below a folder, by their key.

    Raises:
        DocumentsRefused: if there are none, if one is no UTF-8 text, or if two would have the same key.
    """
    if not folder.is_dir():
        raise DocumentsRefused(f"{folder} is not a folder")
    documents: dict[str, str] = {}
    for path in text_files(folder):
        key = key_of(path.relative_to(folder))
        if key in documents:
            raise DocumentsRefused(f"{path} and another file both become the key {key}: rename one")
        try:
            documents[key] = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise DocumentsRefused(f"{path} is not UTF-8 text: convert it, or move it away") from error
    if not documents:
        raise DocumentsRefused(f"{folder} holds no text: files ending in {', '.join(sorted(SUFFIXES))} are taken")
    return documents


def handbook_documents() -> dict[str, str]:
    """The documents of the handbook example: `docs/` without its release notes."""
    documents = read_documents(ROOT / "docs")
    return {key: text for key, text in documents.items() if key not in NOT_IN_THE_HANDBOOK}


def size(key: str, text: str) -> int:
    """Bytes that a document takes in a ConfigMap."""
    return len(key) + len(text.encode())


def parts(documents: Documents) -> list[dict[str, str]]:
    """The documents, in order, in as many parts as ConfigMaps are needed.

    Raises:
        DocumentsRefused: if one document or all together are too large.
    """
    total = sum(size(key, text) for key, text in documents.items())
    if total > TOTAL_BYTES:
        raise DocumentsRefused(
            f"the documents have {total / 1024 / 1024:.1f} MiB, and the demo takes {TOTAL_BYTES // 1024 // 1024}:"
            " name a folder further down, or write a VectorIndex of your own, which takes 32 ConfigMaps as sources"
        )
    found: list[dict[str, str]] = [{}]
    room = PART_BYTES
    for key, text in documents.items():
        if size(key, text) > PART_BYTES:
            raise DocumentsRefused(
                f"{key} is larger than {PART_BYTES // 1024} KiB, which a ConfigMap can hold: split it"
            )
        if size(key, text) > room:
            found.append({})
            room = PART_BYTES
        found[-1][key] = text
        room -= size(key, text)
    return found


def numbered(name: str, number: int) -> str:
    """`docs`, `docs-2`, `docs-3`."""
    return name if number == 1 else f"{name}-{number}"


def config_map(number: int, documents: Documents) -> dict[str, Any]:
    """One part as a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": numbered(NAME, number), "namespace": NAMESPACE},
        "data": dict(documents),
    }


def dump(manifest: Mapping[str, Any]) -> str:
    """A manifest as YAML."""
    return yaml.dump(manifest, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def document_files(documents: Documents, *, header: str) -> dict[str, str]:
    """The ConfigMaps as files, by name."""
    return {
        f"documents-{number}.yaml": header + dump(config_map(number, part))
        for number, part in enumerate(parts(documents), start=1)
    }


def index_file(count: int) -> str:
    """The example's VectorIndex, reading so many ConfigMaps."""
    index = yaml.safe_load((EXAMPLE / "vectorindex.yaml").read_text())
    index["spec"]["sources"] = [
        {"name": numbered("docs", number), "configMap": {"name": numbered(NAME, number)}}
        for number in range(1, count + 1)
    ]
    return dump(index)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, and remove document files that are no longer among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in stale_documents(folder, files):
        path.unlink()
    for name, content in files.items():
        (folder / name).write_text(content)


def stale_documents(folder: Path, files: Iterable[str]) -> list[Path]:
    """Document files in the folder that should not be there."""
    return [path for path in folder.glob("documents-*.yaml") if path.name not in set(files)]


def differences(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Names of files that are not as they should be."""
    changed = [
        name for name, text in files.items() if not (folder / name).is_file() or (folder / name).read_text() != text
    ]
    return [*changed, *(path.name for path in stale_documents(folder, files))]


def run(arguments: argparse.Namespace) -> int:
    """Do what the command line asks; returns the exit status."""
    if arguments.docs:
        files = document_files(read_documents(arguments.docs), header="")
        copied = {"agent.yaml": (EXAMPLE / "agent.yaml").read_text()}
        write(arguments.to, {**files, "vectorindex.yaml": index_file(len(files)), **copied})
        if note := left_out(arguments.docs):
            print(note)
        return 0
    files = document_files(handbook_documents(), header=HEADER)
    if not arguments.check:
        write(EXAMPLE, files)
        return 0
    stale = differences(EXAMPLE, files)
    if stale:
        print(f"stale in examples/handbook: {', '.join(stale)}; run `make generate`", file=sys.stderr)
    return 1 if stale else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when the example is stale")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="documents of your own")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where to write the example with them")
    parsed = parser.parse_args(arguments)
    if (parsed.docs is None) != (parsed.to is None):
        parser.error("--docs and --to go together")
    try:
        return run(parsed)
    except DocumentsRefused as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
