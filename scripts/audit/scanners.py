"""The scans of code, files and configuration: bandit and trivy.

Secrets are searched for by trivy, not by detect-secrets: trivy knows tokens by their form and is here for the
configuration anyway, where detect-secrets judges by entropy and needs a list of hashes of everything that is no secret.
Left alone, trivy skips tests, examples and Markdown: `secrets.yaml` turns that off.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts.audit.reports import AuditFinding, AuditReport
from scripts.audit.tools import ScannerFailed, Tools

HERE = Path(__file__).parent


def code(tools: Tools, folders: Sequence[Path], *, root: Path) -> AuditReport:
    """bandit, from medium severity on: what is low (`subprocess` is imported, `assert` is used) says nothing here."""
    found = tools.bandit("--recursive", "--severity-level=medium", *map(str, folders))
    if found["errors"]:
        raise ScannerFailed(f"bandit could not read everything: {found['errors']}")
    findings = [
        AuditFinding(each["test_id"], relative(Path(each["filename"]), root), each["line_number"], each["issue_text"])
        for each in found["results"]
    ]
    files = len(found["metrics"]) - 1  # one entry is the sum
    return AuditReport("code (bandit)", f"{files} Python files", tuple(findings))


def secrets(tools: Tools, folder: Path, *, files: Iterable[Path]) -> AuditReport:
    """trivy's secret scan over those files of the folder: what is or may be committed, not what is ignored."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        count = sum(copied(folder / file, copy / file) for file in files)
        results = tools.trivy("fs", "--scanners=secret", f"--secret-config={HERE / 'secrets.yaml'}", name)
    findings = [
        AuditFinding(each["RuleID"], result["Target"], each["StartLine"], each["Title"])
        for result in results
        for each in result.get("Secrets") or []
    ]
    return AuditReport("secrets (trivy)", f"{count} files", tuple(findings))


def configuration(tools: Tools, paths: Sequence[Path], *, root: Path) -> AuditReport:
    """trivy's checks of charts (rendered with their default values), Dockerfiles and manifests."""
    findings: list[AuditFinding] = []
    checks = 0
    for path in paths:
        for result in tools.trivy("config", "--skip-check-update", str(path)):
            summary = result.get("MisconfSummary") or {}
            checks += summary.get("Successes", 0) + summary.get("Failures", 0)
            where = relative(path / result["Target"] if path.is_dir() else path, root)
            findings += [misconfiguration(each, where) for each in result.get("Misconfigurations") or []]
    if not checks:
        raise ScannerFailed(f"trivy checked nothing in {', '.join(map(str, paths))}: is the path right?")
    return AuditReport("configuration (trivy)", f"{checks} checks", tuple(findings))


def misconfiguration(each: dict[str, Any], where: str) -> AuditFinding:
    """One of trivy's findings as ours."""
    line = each.get("CauseMetadata", {}).get("StartLine") or 0
    return AuditFinding(each["ID"], where, line, f"{each['Severity'].lower()}: {each['Message']}")


def tracked(root: Path) -> list[Path]:
    """Files that git has or would take, relative to the repository. Raises ScannerFailed outside a working copy."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ScannerFailed(f"the secret scan asks git what may be committed: {done.stderr.strip()}")
    return [Path(name) for name in done.stdout.split("\0") if name]


def copied(source: Path, target: Path) -> bool:
    """Copy one file if it is one: git also lists what was just deleted, and links."""
    if source.is_symlink() or not source.is_file():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return True


def relative(path: Path, root: Path) -> str:
    """The path as it is written in policy.toml."""
    return str(path.relative_to(root)) if path.is_absolute() and path.is_relative_to(root) else str(path)
