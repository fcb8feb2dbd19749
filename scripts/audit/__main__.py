"""`make audit`: every scan that works offline, one table at the end, status 1 if anything was found, 2 if one broke."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from devcluster.progress import say, step
from scripts.audit import history, locks, policy, sboms, scanners
from scripts.audit.reports import AuditFinding, AuditReport, NotDone, Outcome, judge, status
from scripts.audit.tools import ScannerFailed, Tools

ROOT = Path(__file__).parents[2]
ROOMS = (*sorted(file.parent.name for file in ROOT.glob("*/pyproject.toml")), "scripts", "benchmarks")
"""Folders with code that users run, or that checks it. Tests are left out: they assert."""
NEVER_HERE = (
    NotDone(
        "vulnerabilities of packages", "trivy's database is downloaded first", "make vulnerabilities; OSV in .harness"
    ),
    NotDone(
        "vulnerabilities of images", "trivy's database is downloaded first", "make vulnerabilities; trivy in .harness"
    ),
    NotDone("semgrep", "its rules come from a registry", "make semgrep; Semgrep in .harness"),
    NotDone(
        "licences of programs built from Go by version",
        "helm, kwok, local-path-provisioner, terraform, actionlint and gitleaks have no lock in the tree",
        "nobody; they are run here and are in no image",
    ),
    NotDone("licences of the base image's packages", "only what is added to it is read", "nobody; the SBOMs name them"),
    NotDone(
        "signatures and provenance", "keyless signing needs an identity and a log", "release.yaml in .github; .harness"
    ),
)
"""What is not looked at by this command, on no machine."""


def terraform(makefile: Path) -> Outcome:
    """checkov and trivy over terraform/: that folder's own target, which also knows how its findings are explained."""
    scan = "terraform (checkov, trivy)"
    if "\nscan-terraform:" not in makefile.read_text():
        return NotDone(scan, "this Makefile has no target scan-terraform", "make test-terraform")
    done = subprocess.run(["make", "scan-terraform"], cwd=makefile.parent, check=False)
    found = AuditFinding(
        "scan-terraform", "terraform", 0, f"ended with status {done.returncode}; its findings are printed above"
    )
    return AuditReport(scan, "make scan-terraform", (found,) if done.returncode else ())


def scans(tools: Tools, rules: policy.AuditPolicy) -> dict[str, Callable[[], Iterable[Outcome]]]:
    """What is done, in order, by what is shown while it is."""
    files = scanners.tracked(ROOT)
    modules = [ROOT / file for file in files if file.suffix == ".mod"]
    return {
        "reading the code": lambda: [scanners.code(tools, [ROOT / room for room in ROOMS], root=ROOT)],
        "looking for secrets": lambda: [scanners.secrets(tools, ROOT, files=files)],
        "looking for secrets in the history": lambda: [history.secrets(ROOT)],
        "reading licences of Python packages": lambda: locks.python(ROOT / "requirements", rules.licences),
        "reading licences of Go modules": lambda: locks.go(tools, modules, rules.licences, root=ROOT),
        "reading licences of npm packages": lambda: [
            locks.npm(ROOT / file, rules.licences) for file in files if file.name == "package-lock.json"
        ],
        "checking the chart and the Dockerfile": lambda: [
            scanners.configuration(tools, [ROOT / "charts" / "slipway", ROOT / "Dockerfile"], root=ROOT)
        ],
        "checking terraform/": lambda: [terraform(ROOT / "Makefile")],
        "reading the images' SBOMs": lambda: [sboms.of_images(ROOT / ".make" / "images", root=ROOT)],
    }


def table(outcomes: Sequence[Outcome]) -> Table:
    """Everything at one look."""
    made = Table(title="make audit", title_justify="left")
    for heading in ("scan", "result", "looked at"):
        made.add_column(heading, overflow="fold")
    for each in outcomes:
        if isinstance(each, NotDone):
            made.add_row(each.scan, "[yellow]NOT DONE[/]", f"{each.why}; done by: {each.where}")
        else:
            accepted = f", {each.accepted} accepted in policy.toml" if each.accepted else ""
            result = "[green]nothing found[/]" if each.passed else f"[red]{len(each.findings)} found[/]"
            made.add_row(each.scan, result, each.looked_at + accepted)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, required=True, help="bin folder of the scanners' environment")
    tools, rules = Tools(parser.parse_args(arguments).tools), policy.read()
    outcomes: list[Outcome] = []
    try:
        for doing, scan in scans(tools, rules).items():
            with step(doing):
                done = list(scan())
            outcomes += [judge(each, rules.exceptions()) if isinstance(each, AuditReport) else each for each in done]
    except ScannerFailed as error:
        say(f"\n{error}\nThe audit is not complete.")
        return 2
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # in a log
    show(console, [*outcomes, *NEVER_HERE])
    return status(outcomes)


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Each finding on a line of its own, then the table."""
    for report in outcomes:
        for finding in report.findings if isinstance(report, AuditReport) else ():
            console.print(f"{report.scan}: {finding}", markup=False, soft_wrap=True)
    console.print(table(outcomes))


if __name__ == "__main__":
    sys.exit(main())
