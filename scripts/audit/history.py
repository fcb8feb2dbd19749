"""Secrets in git's history, by gitleaks: a secret that was removed in the next commit is still published.

Built once from its Go module, as scripts/actionlint.py builds actionlint; it asks no network. .gitleaks.toml in the
repository's root says what is no secret, here and in Harness's step.

    python -m scripts.audit.history      # builds gitleaks, and nothing else
"""

import subprocess
from pathlib import Path

from devcluster import binaries
from devcluster.errors import DevclusterError
from devcluster.recipes import Recipe
from scripts.audit.reports import AuditFinding, AuditReport, NotDone, Outcome
from scripts.audit.tools import ScannerFailed, output

SCAN = "secrets in git's history (gitleaks)"
GITLEAKS = Recipe(name="gitleaks", version="8.30.1", package="github.com/zricethezav/gitleaks/v8")


def secrets(root: Path) -> Outcome:
    """gitleaks over every commit that leads to the present one; NotDone where the clone does not have them all."""
    if asked(root, "rev-parse", "--is-shallow-repository") == "true":
        return NotDone(SCAN, "this clone is shallow", "git fetch --unshallow, then make audit again")
    try:
        program = binaries.ensure(GITLEAKS)
    except DevclusterError as error:
        raise ScannerFailed(f"gitleaks cannot be built: {error}") from error
    quiet = ("--no-banner", "--redact", "--log-level=error", "--exit-code=0")
    # By itself gitleaks reads all branches that were fetched, and a secret in anybody's would stop a release.
    which = ("--log-opts=HEAD", "--report-format=json", "--report-path=-", str(root))
    found = output([str(program), "git", *quiet, *which], statuses=(0,), cwd=root)
    findings = [
        AuditFinding(
            each["RuleID"], each["File"], each["StartLine"], f"{each['Description']} In commit {each['Commit']}."
        )
        for each in found
    ]
    return AuditReport(SCAN, f"{asked(root, 'rev-list', '--count', 'HEAD')} commits", tuple(findings))


def asked(root: Path, *question: str) -> str:
    """What git answers. Raises ScannerFailed outside a repository."""
    done = subprocess.run(["git", "-C", str(root), *question], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ScannerFailed(f"the scan of the history asks git: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    binaries.ensure(GITLEAKS)
