"""The command's own part: what its words do is tested where they are made."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slipway_runtime.cli import app
from slipway_runtime.gateway.auth import KeyEntry, hash_key

RUNNER = CliRunner()
ROOT = Path(__file__).parents[2]


def test_every_job_has_a_word() -> None:
    words = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    words |= {group.name for group in app.registered_groups if group.name}
    pods = {"host", "gateway", "ingest", "connector", "verify-image", "worker"}
    assert words == {
        *pods,
        "dev",
        "validate",
        "eval",
        "ask",
        "search",
        "chat",
        "connect",
        "keys",
        "plugin",
        "catalog",
        "index",
        "workflow",
    }


def test_help_shows_what_people_use_before_what_pods_run() -> None:
    shown = RUNNER.invoke(app, ["--help"]).stdout
    panel = shown.index("What pods run")
    assert all(
        shown.index(f" {word} ") < panel
        for word in (
            "dev",
            "validate",
            "eval",
            "ask",
            "search",
            "chat",
            "connect",
            "keys",
            "plugin",
            "catalog",
            "index",
            "workflow",
        )
    )
    assert all(shown.index(f" {word} ") > panel for word in ("host", "gateway", "ingest", "connector", "worker"))


def test_a_new_key_and_the_entry_that_lets_it_in() -> None:
    result = RUNNER.invoke(app, ["keys", "new", "alice"])
    assert result.exit_code == 0
    key = result.stdout.strip()
    entry = KeyEntry.model_validate_json(result.stderr.splitlines()[-1])
    assert entry == KeyEntry(name="alice", sha256=hash_key(key))
    assert key not in result.stderr
    assert "groups" not in result.stderr


def test_a_new_key_of_groups() -> None:
    result = RUNNER.invoke(app, ["keys", "new", "alice", "--group", "staff", "--group", "leads"])
    assert KeyEntry.model_validate_json(result.stderr.splitlines()[-1]).groups == ("staff", "leads")
    refused = RUNNER.invoke(app, ["keys", "new", "alice", "--group", ""])
    assert (refused.exit_code, "Invalid value for --group" in refused.stderr) == (2, True)


@pytest.mark.parametrize("name", ["", "https://id.example.org|alice", "x" * 254])
def test_a_name_that_no_caller_may_have_is_refused_in_a_sentence(name: str) -> None:
    result = RUNNER.invoke(app, ["keys", "new", name])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value for NAME" in result.stderr


def test_the_example_is_valid() -> None:
    result = RUNNER.invoke(app, ["validate", "-f", str(ROOT / "examples" / "handbook")])
    assert (result.exit_code, result.stdout.splitlines()[-1].split(":")[0]) == (0, "valid")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("apiVersion: slipway.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec: {}\n", 1, "spec.knowledge"),
        ("a: [", 1, "not YAML"),
        (
            "apiVersion: slipway.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\n"
            "spec: {knowledge: [{name: b, indexRef: {name: b}}]}\n",
            0,
            "warning",
        ),
    ],
    ids=["an error", "no YAML", "a warning"],
)
def test_validate_is_a_gate(tmp_path: Path, text: str, code: int, words: str) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    result = RUNNER.invoke(app, ["validate", "-f", str(path)])
    assert (result.exit_code, words in result.stdout) == (code, True), result.stdout


@pytest.mark.parametrize("text", ["", "# a comment\n---\n", "kind: List\nitems: []\n"])
def test_a_file_without_a_manifest_is_not_valid(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text(text)
    result = RUNNER.invoke(app, ["validate", "-f", str(path)])
    assert (result.exit_code, result.stdout) == (1, f"error {path}: there is no manifest in this file\n")
    (tmp_path / "manifest.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    result = RUNNER.invoke(app, ["validate", "-f", str(tmp_path)])
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [f"warning {path}: there is no manifest in this file", "valid: 1 object"],
    )


def test_a_word_costs_only_what_it_needs() -> None:
    script = (
        "import json, sys; from typer.testing import CliRunner; from slipway_runtime.cli import app;"
        "CliRunner().invoke(app, ['--help']); print(json.dumps(sorted(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(result.stdout)}
    assert not loaded & {"aiohttp", "starlette", "uvicorn", "pydantic", "numpy", "langgraph", "chromadb", "kubernetes"}
