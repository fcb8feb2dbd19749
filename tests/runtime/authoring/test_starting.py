"""A new plugin works as it is: its tests pass, it can be packed and signed, and its manifest is valid."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from slipway_crds.validate import validate_documents
from slipway_runtime.authoring.starting import TEMPLATES
from slipway_runtime.cli import app

RUNNER = CliRunner()
PII_GUARD = Path(__file__).parents[3] / "examples" / "plugins" / "pii-guard"


def rust_compiler() -> str | None:
    """A compiler that has the target, as Debian's or rustup's."""
    for rustc in filter(None, ("/usr/bin/rustc", shutil.which("rustc"))):
        command = [rustc, "--print", "target-libdir", "--target", "wasm32-unknown-unknown"]
        found = subprocess.run(command, capture_output=True, text=True, check=False) if Path(rustc).exists() else None
        if found is not None and found.returncode == 0 and Path(found.stdout.strip()).is_dir():
            return rustc
    return None


@pytest.mark.parametrize("kind", ["python", "openapi", "wasm"])
def test_a_new_plugin_is_tested_packed_and_signed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun = RUNNER.invoke(app, ["plugin", "new", "word-count", "--type", kind])
    assert begun.exit_code == 0, begun.output
    folder = tmp_path / "word-count"
    assert "MODULE" not in "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    if kind == "wasm":
        compiler = rust_compiler()
        if compiler is None:
            pytest.skip("no Rust compiler has the target wasm32-unknown-unknown")
        subprocess.run(["make", "-C", folder, f"RUSTC={compiler}"], check=True, capture_output=True)
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)]
    ran = subprocess.run(tests, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert RUNNER.invoke(app, ["plugin", "key", "mine"]).exit_code == 0
    packed = RUNNER.invoke(app, ["plugin", "pack", "word-count", "--key", "mine.key"])
    assert (packed.exit_code, "signed" in packed.stdout) == (0, True), packed.output
    text = "---\n".join((folder / name).read_text() for name in ("plugin.yaml", "code.yaml"))
    assert validate_documents(yaml.safe_load_all(text)) == []


def test_what_begins_no_plugin_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, words in (("Word Count", "is no name"), ("twice", ""), ("twice", "twice exists")):
        result = RUNNER.invoke(app, ["plugin", "new", name])
        assert (result.exit_code, words in result.stderr) == (1 if words else 0, True), result.output


def test_the_template_has_the_same_json_as_the_example() -> None:
    template = TEMPLATES / "wasm" / "src" / "json.rs"
    assert template.read_text() == (PII_GUARD / "src" / "json.rs").read_text()
