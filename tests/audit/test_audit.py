"""The policy is read strictly, exceptions cover what they name and nothing else, and what was not done is printed."""

import io
from email.message import Message
from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console

from scripts.audit import __main__ as audit
from scripts.audit import environments, history, licences, locks, policy, sboms
from scripts.audit.reports import Accepted, AuditFinding, AuditReport, NotDone, judge, status
from slipway_demo import images

FOUND = AuditFinding("B608", "a.py", 3, "SQL")


def accepted(rule: str = "B608", path: str = "a.py", scan: str = "code") -> Accepted:
    return Accepted(scan, rule, path, "because a person looked at it")


def test_an_accepted_finding_does_not_fail_and_is_counted() -> None:
    judged = judge(AuditReport("code", "1 file", (FOUND, FOUND)), [accepted()])
    assert judged.passed
    assert judged.accepted == 2


@pytest.mark.parametrize("other", [accepted(rule="B104"), accepted(path="b.py")])
def test_an_exception_covers_only_what_it_names_and_fails_when_it_covers_nothing(other: Accepted) -> None:
    judged = judge(AuditReport("code", "1 file", (FOUND,)), [other])
    assert FOUND in judged.findings
    assert [each.path for each in judged.findings if "remove it" in each.says] == [other.path]
    assert judged.accepted == 0
    assert status([judged]) == 1


def test_exceptions_of_another_scan_are_left_alone() -> None:
    assert judge(AuditReport("code", "1 file"), [accepted(scan="secrets")]).passed


def test_every_exception_is_for_a_scan_that_exists() -> None:
    names = {"code (bandit)", "secrets (trivy)", "configuration (trivy)", history.SCAN}
    names |= {locks.PYTHON, locks.GO, locks.NPM, *(f"{locks.PYTHON} ({name}.txt)" for name in environments.OWN)}
    assert {each.scan for each in policy.read().exceptions()} <= names


@pytest.mark.parametrize(
    "text",
    [
        '[licences]\nallowed = ["MIT"]\nnames = {}\nalowed = []',
        '[licences]\nallowed = ["MIT"]\nnames = {}\n[[accepted]]\nscan = "a"\nrule = "b"\npath = "c"\nwhy = "so"',
    ],
    ids=["misspelt key", "no reason"],
)
def test_a_policy_that_would_be_misread_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(ValidationError):
        policy.read(tmp_path / "policy.toml")


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only AND SSPL-1.0", True),
        ("(MIT OR ISC) AND GPL-3.0-only", False),
        ("MPL-2.0 AND (GPL-3.0-only OR MIT)", True),
        ("unknown", False),
        ("", False),
        ("MIT style", False),
        ("__import__('os')", False),
    ],
)
def test_licence_expressions(expression: str, allowed: bool) -> None:
    assert licences.permitted(expression, ["MIT", "ISC", "MPL-2.0"]) is allowed


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ([("License-Expression", "MIT"), ("License", "GPL")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: MIT License"), ("License", "see LICENSE")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: MIT License"), ("Classifier", "License :: Odd")], "MIT AND Odd"),
        ([("License", "MIT License")], "MIT"),
        ([("Classifier", "Topic :: X")], "unknown"),
    ],
)
def test_a_package_tells_its_licence_in_several_ways(headers: list[tuple[str, str]], licence: str) -> None:
    metadata = Message()
    for name, value in headers:
        metadata[name] = value
    assert licences.declared(metadata, {"MIT License": "MIT"}) == licence


def test_images_without_an_sbom_are_found_and_no_images_are_not_done(tmp_path: Path) -> None:
    folder = tmp_path / ".make" / "images"
    nothing = sboms.of_images(folder, root=tmp_path)
    assert isinstance(nothing, NotDone)
    assert nothing.why == "no images in .make/images"
    folder.mkdir(parents=True)
    for image in images.ALL:
        (folder / f"{image.name}.oci.tar").touch()
        (folder / f"{image.name}.cdx.json").write_text('{"components": [{"name": "kopf"}]}')
    assert sboms.of_images(folder, root=tmp_path) == AuditReport(sboms.SCAN, "5 images, 5 parts")
    (folder / "runtime.cdx.json").unlink()
    (folder / "standalone.oci.tar").unlink()
    report = sboms.of_images(folder, root=tmp_path)
    assert isinstance(report, AuditReport)
    assert [each.path for each in report.findings] == ["runtime.cdx.json", "standalone.oci.tar"]


def test_terraform_is_not_done_where_its_target_is_missing_and_fails_where_it_finds_something(tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text("all:\n\ttrue\n")
    assert isinstance(audit.terraform(makefile), NotDone)
    makefile.write_text("all:\n\ttrue\nscan-terraform:\n\tfalse\n")
    assert status([audit.terraform(makefile)]) == 1
    makefile.write_text("all:\n\ttrue\nscan-terraform:\n\ttrue\n")
    assert status([audit.terraform(makefile)]) == 0


def test_the_table_names_what_was_not_looked_at() -> None:
    out = io.StringIO()
    audit.show(Console(file=out, width=200), [AuditReport("code", "1 file", (FOUND,)), *audit.NEVER_HERE])
    printed = out.getvalue()
    assert "code: a.py:3: B608: SQL" in printed
    assert printed.count("NOT DONE") == len(audit.NEVER_HERE)
    for word in (
        "vulnerabilities of packages",
        "vulnerabilities of images",
        "semgrep",
        "signatures",
        "from Go",
        "base image",
    ):
        assert word in printed
