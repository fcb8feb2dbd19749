"""`make semgrep` ends where its rules cannot be downloaded and says why; what semgrep finds still fails it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("semgrep", "limit", "status", "said"),
    [
        # Waits for ever, like semgrep without a network; the limit is all that ends it.
        pytest.param("exec tail -f /dev/null", "0.01s", 2, "did not end within 0.01s. It downloads", id="no network"),
        pytest.param("exit 1", "1m", 2, "", id="something found"),
        pytest.param("exit 0", "1m", 0, "", id="nothing found"),
    ],
)
def test_semgrep_ends(tmp_path: Path, semgrep: str, limit: str, status: int, said: str) -> None:
    program = tmp_path / "bin" / "semgrep"
    program.parent.mkdir()
    (tmp_path / ".installed").touch()
    program.write_text(f"#!/bin/sh\n{semgrep}\n")
    program.chmod(0o755)
    command = ["make", "--old-file=venv", "semgrep", f"SEMGREP={tmp_path}", f"SEMGREP_LIMIT={limit}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert ("semgrep.dev" in done.stderr) is bool(said)
