"""Licences of what is installed and built: Python packages by their own metadata, Go modules by trivy's reading.

trivy is not asked about Python: it reads one environment, and the images are made from four locks.
"""

import ast
import importlib.metadata
import re
from collections.abc import Iterable, Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import cast

from scripts.audit.policy import Licences
from scripts.audit.reports import Finding, Report
from scripts.audit.tools import Tools, output

LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)([^\\\n]*)", re.MULTILINE)
UNKNOWN = "unknown"
BOOLEAN = {"AND": "and", "OR": "or"}


def permitted(expression: str, allowed: Iterable[str]) -> bool:
    """Whether an SPDX expression can be met with allowed licences: one side of an OR, both sides of an AND.

    SPDX's AND and OR bind as Python's do, so Python reads them. What is no expression is not permitted.
    """
    names = set(allowed)
    words = re.sub(r"[^\s()]+", lambda word: BOOLEAN.get(word[0]) or str(word[0] in names), expression)
    try:
        return holds(ast.parse(words, mode="eval").body)
    except SyntaxError:
        return False


def holds(node: ast.expr) -> bool:
    """The truth of `True and (False or True)`, read without running it."""
    if isinstance(node, ast.BoolOp):
        values = [holds(value) for value in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    return isinstance(node, ast.Constant) and node.value is True


def declared(metadata: Message, names: Mapping[str, str]) -> str:
    """A package's licence as an SPDX expression, from the most exact field that it has.

    `names` gives the SPDX name of what packages write instead. Several classifiers are taken as all of them.
    """
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [str(value) for value in metadata.get_all("Classifier") or [] if str(value).startswith("License ::")]
    written = [value.split(" :: ")[-1] for value in classifiers if value != "License :: OSI Approved"]
    if not written and (text := str(metadata.get("License") or "").strip()):
        written = [text.splitlines()[0]]
    return " AND ".join(names.get(each, each) for each in written) or UNKNOWN


def python_packages(locks: Sequence[Path], policy: Licences) -> Report:
    """Every package of the locks that is installed beside this program; one that should be and is not is a finding."""
    allowed, findings, seen = {*policy.allowed}, [], set[str]()
    for lock in locks:
        for name, _, marker in LOCKED.findall(lock.read_text()):
            if name in seen:
                continue
            seen.add(name)
            try:
                metadata = cast(Message, importlib.metadata.metadata(name))
            except importlib.metadata.PackageNotFoundError:
                if not marker.strip():  # a marker says that it belongs to another platform
                    findings.append(
                        Finding(UNKNOWN, name, 0, f"{lock.name} has it, but it is not installed: make venv")
                    )
                continue
            licence = declared(metadata, policy.names)
            if not permitted(licence, allowed):
                findings.append(Finding(licence, name, 0, f"licence not allowed by policy.toml; locked in {lock.name}"))
    return Report("licences of Python packages", f"{len(seen)} packages", tuple(findings))


def go_modules(tools: Tools, folder: Path, policy: Licences) -> Report:
    """Every module that a go.mod below the folder requires; one whose files are not here is a finding."""
    found = {
        (result["Target"], licence["PkgName"]): str(licence["Name"])
        for result in tools.trivy("fs", "--scanners=license", "--skip-check-update", str(folder))
        for licence in result.get("Licenses") or []
    }
    required = [
        (str(file.relative_to(folder)), str(module["Path"]))
        for file in sorted(folder.rglob("go.mod"))
        for module in output(["go", "mod", "edit", "-json", str(file)], statuses=(0,)).get("Require") or []
    ]
    findings = []
    for file, module in required:
        licence = found.get((file, module), UNKNOWN)
        if not permitted(licence, policy.allowed):
            findings.append(Finding(licence, module, 0, module_says(licence, folder / file)))
    return Report("licences of Go modules", f"{len(required)} modules of {folder.parent.name}", tuple(findings))


def module_says(licence: str, file: Path) -> str:
    """What to do about a Go module."""
    if licence == UNKNOWN:
        return f"its licence cannot be read: (cd {file.parent} && go mod download), then again"
    return f"licence not allowed by policy.toml; required by {file}"
