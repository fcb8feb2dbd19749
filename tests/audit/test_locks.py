"""Every lock in the tree is looked at, or named as not looked at."""

import json
import shutil
from pathlib import Path

import pytest

from scripts.audit import environments, locks
from scripts.audit.policy import Licences
from scripts.audit.reports import AuditReport, NotDone, status
from scripts.audit.tools import Tools
from tests.support.scanners import tools as installed

ROOT = Path(__file__).parents[2]
APACHE = Licences(allowed=("Apache-2.0",), names={})


def test_a_forbidden_licence_and_a_package_that_is_not_there_are_found(tmp_path: Path) -> None:
    pytest_version = environments.installed()["pytest"].version
    lock = tmp_path / "lock.txt"
    lock.write_text(
        f"pytest=={pytest_version} \\\n    --hash=sha256:0\n"
        "no-such-package==1 \\\ncolorama-not-here==1 ; sys_platform == 'win32' \\\n"
    )
    report, _ = locks.python_packages([lock], APACHE)
    assert isinstance(report, AuditReport)
    assert [(each.rule, each.path) for each in report.findings] == [("MIT", "pytest"), ("unknown", "no-such-package")]
    assert report.looked_at == "2 packages of lock.txt"
    assert status([report]) == 1


def test_a_package_of_another_version_than_the_locked_one_was_not_looked_at(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("pytest==0.0.1 \\\n")
    (report,) = locks.python_packages([lock], Licences(allowed=("MIT",), names={}))
    assert isinstance(report, AuditReport)
    (finding,) = report.findings
    assert finding.rule == "unknown"
    assert "make venv" in finding.says


def test_a_lock_may_have_one_version_for_each_platform() -> None:
    text = "numpy==2.4 ; python_full_version < '3.12' \\\nnumpy==2.5 ; python_full_version >= '3.12' \\\nrich==15 \\\n"
    found = locks.versions(text)
    assert found["numpy"] == (frozenset({"2.4", "2.5"}), False)
    assert found["rich"] == (frozenset({"15"}), True)


def test_what_is_locked_for_other_platforms_and_pythons_is_named(tmp_path: Path) -> None:
    pytest_version = environments.installed()["pytest"].version
    lock = tmp_path / "lock.txt"
    lock.write_text(
        f"pytest==0.0.1 ; python_full_version < '3' \\\npytest=={pytest_version} ; python_full_version >= '3' \\\n"
        "not-here==1 ; sys_platform == 'win32' \\\n"
    )
    report, rest = locks.python_packages([lock], Licences(allowed=("MIT",), names={}))
    assert report == AuditReport(locks.PYTHON, "1 packages of lock.txt")
    assert isinstance(rest, NotDone)
    assert rest.why.endswith(": not-here 1, pytest 0.0.1")


def test_every_python_lock_is_looked_at_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # where no environment is
    outcomes = list(locks.python(ROOT / "requirements", APACHE))
    done = " ".join(each.looked_at for each in outcomes if isinstance(each, AuditReport))
    not_done = {each.scan for each in outcomes if isinstance(each, NotDone)} - {f"{locks.PYTHON}, the rest"}
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert (lock.name in done) != (f"{locks.PYTHON} ({lock.name})" in not_done), lock.name
    assert len(not_done) == len(environments.OWN) + 1


def test_each_command_that_is_told_makes_its_environment() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name, make in environments.OWN.items():
        assert f"$(call install_environment,{name}," in makefile
        assert f"\n{make.removeprefix('make ')}:" in makefile


@pytest.fixture
def tools() -> Tools:
    found = installed()
    if found is None:
        pytest.skip("the scanners are not installed: `make audit-tools` installs them")
    return found


def test_go_modules_without_an_allowed_licence_are_found_in_files_of_any_name(tools: Tools, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "devcluster" / "go" / "door", tmp_path / "door")
    shutil.copy(tmp_path / "door" / "go.mod", tmp_path / "door" / "1.99.mod")
    shutil.copy(tmp_path / "door" / "go.sum", tmp_path / "door" / "1.99.sum")
    files = [tmp_path / "door" / "go.mod", tmp_path / "door" / "1.99.mod"]
    (report,) = locks.go(tools, files, Licences(allowed=("MIT",), names={}), root=tmp_path)
    assert isinstance(report, AuditReport)
    assert [(each.rule, each.path) for each in report.findings] == [("BSD-3-Clause", "golang.org/x/sys")] * 2
    assert {each.says.rpartition(" ")[2] for each in report.findings} == {"door/go.mod", "door/1.99.mod"}


def test_modules_that_cannot_be_downloaded_are_named_as_not_looked_at(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    (tmp_path / "go.mod").write_text("module a\n\ngo 1.26\n\nrequire example.invalid/nowhere v1.0.0\n")
    missing, report = locks.go(tools, [tmp_path / "go.mod"], APACHE, root=tmp_path)
    assert isinstance(missing, NotDone)
    assert "go.mod" in missing.scan
    assert isinstance(report, AuditReport)
    assert report.looked_at == "0 modules of 0 files"


def test_npm_packages_without_an_allowed_or_a_known_licence_are_found(tmp_path: Path) -> None:
    packages = {"": {}, "node_modules/a": {"license": "Apache-2.0"}, "node_modules/b": {"license": "GPL-3.0-only"}}
    lock = tmp_path / "package-lock.json"
    lock.write_text(json.dumps({"packages": {**packages, "node_modules/c": {"version": "1"}}}))
    report = locks.npm(lock, APACHE)
    assert [(each.rule, each.path) for each in report.findings] == [("GPL-3.0-only", "b"), ("unknown", "c")]
