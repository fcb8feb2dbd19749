"""Which licence a package has, and whether policy.toml allows it. Pure."""

import ast
import re
from collections.abc import Iterable, Mapping
from email.message import Message

from scripts.audit.policy import Licences
from scripts.audit.reports import AuditFinding

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


def refusals(licences: Mapping[str, str], policy: Licences, *, lock: str) -> tuple[AuditFinding, ...]:
    """A finding for each package, by name, whose licence is not allowed."""
    return tuple(
        AuditFinding(licence, name, 0, f"licence not allowed by policy.toml; locked in {lock}")
        for name, licence in licences.items()
        if not permitted(licence, policy.allowed)
    )
