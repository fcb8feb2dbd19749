"""The command itself: its exit status, and that it says what it did not look at."""

import os
import subprocess
import sys
from pathlib import Path

from scripts.harness.schema import VARIABLE
from tests.harness.conftest import REPOSITORY


def run(folder: Path, **environment: str) -> tuple[int, str]:
    variables = {key: value for key, value in os.environ.items() if key != VARIABLE} | environment
    command = [sys.executable, "-m", "scripts.harness", "check", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_folder_without_problems() -> None:
    status, output = run(REPOSITORY / ".harness")
    assert status == 0
    assert "Not checked: Harness's own schema. Name its folder in HARNESS_SCHEMA_DIR" in output
    assert "No problems found offline. No account has seen these files." in output


def test_a_folder_with_a_problem(copy: Path) -> None:
    (copy / "templates" / "ask.yaml").unlink()
    status, output = run(copy)
    assert status == 1
    assert "no template 'ask' with the version 'v1'; there are: " in output


def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    status, output = run(tmp_path / ".harness")
    assert status == 2
    assert "cannot check: " in output


def test_a_schema_that_is_not_there(tmp_path: Path) -> None:
    status, output = run(REPOSITORY / ".harness", **{VARIABLE: str(tmp_path)})
    assert status == 2
    assert "pipeline.json" in output
