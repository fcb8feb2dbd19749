"""gitleaks finds a secret that is gone from the files and still in a commit."""

import subprocess
from pathlib import Path

import pytest

from devcluster import binaries
from scripts.audit import history
from scripts.audit.reports import AuditReport, NotDone
from scripts.audit.tools import ScannerFailed
from tests.audit.test_scanners import token


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def commit(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "-m", "change")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    commit(folder, a="x = 1\n")
    return folder


@pytest.fixture
def gitleaks() -> None:
    if not (binaries.home(history.GITLEAKS) / "gitleaks").is_file():
        pytest.skip("gitleaks is not built: `make audit-tools` builds it")


@pytest.mark.usefixtures("gitleaks")
def test_a_secret_that_was_removed_again_is_found_and_not_shown(repository: Path) -> None:
    clean = history.secrets(repository)
    assert isinstance(clean, AuditReport)
    assert (clean.passed, clean.looked_at) == (True, "1 commits")
    commit(repository, a=f"TOKEN = '{token()}'\n")
    commit(repository, a="x = 1\n")
    report = history.secrets(repository)
    assert isinstance(report, AuditReport)
    assert [(each.rule, each.path) for each in report.findings] == [("github-pat", "a.py")]
    assert token() not in str(report)


@pytest.mark.usefixtures("gitleaks")
def test_a_secret_in_a_branch_that_was_never_merged_is_not_ours(repository: Path) -> None:
    git(repository, "switch", "--create", "other")
    commit(repository, a=f"TOKEN = '{token()}'\n")
    git(repository, "switch", "-")
    report = history.secrets(repository)
    assert isinstance(report, AuditReport)
    assert (report.findings, report.looked_at) == ((), "1 commits")


def test_a_clone_without_the_history_is_not_called_clean(repository: Path, tmp_path: Path) -> None:
    commit(repository, a="x = 2\n")
    git(tmp_path, "clone", "--depth=1", f"file://{repository}", "shallow")
    assert isinstance(history.secrets(tmp_path / "shallow"), NotDone)


def test_outside_a_repository_the_scan_breaks_and_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(ScannerFailed, match="asks git"):
        history.secrets(tmp_path)
