"""Each scanner finds what is planted for it, and a finding fails the audit."""

import random
import shutil
import string
from pathlib import Path

import pytest

from scripts.audit import scanners
from scripts.audit.reports import AuditReport, NotDone, Outcome, status
from scripts.audit.tools import ScannerFailed, Tools
from tests.support.scanners import tools as installed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tools() -> Tools:
    found = installed()
    if found is None:
        pytest.skip("the scanners are not installed: `make audit` installs them")
    return found


def token() -> str:
    """What looks like a GitHub token. Made here, so that no file of the repository has one."""
    return "ghp_" + "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=36))


def test_a_statement_built_from_text_is_found(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("def f(db, name):\n    return db.execute('SELECT 1 FROM t WHERE a = $1', name)\n")
    good = scanners.code(tools, [tmp_path], root=tmp_path)
    assert good.passed
    assert good.looked_at == "1 Python files"
    (tmp_path / "bad.py").write_text("def f(db, name):\n    return db.execute(f'SELECT 1 FROM t WHERE a = {name}')\n")
    bad = scanners.code(tools, [tmp_path], root=tmp_path)
    assert [(each.rule, each.path, each.line) for each in bad.findings] == [("B608", "bad.py", 2)]
    assert status([good, bad]) == 1


def test_code_that_cannot_be_read_is_no_clean_code(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (\n")
    with pytest.raises(ScannerFailed, match=r"broken\.py"):
        scanners.code(tools, [tmp_path], root=tmp_path)


@pytest.mark.parametrize("name", ["values.yaml", "tests/test_a.py", "docs/guide.md", "examples/a.env"])
def test_a_secret_is_found_wherever_it_is(tools: Tools, tmp_path: Path, name: str) -> None:
    for file, text in (("clean.py", "x = 1\n"), (name, f"TOKEN = '{token()}'\n")):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    assert scanners.secrets(tools, tmp_path, files=[Path("clean.py")]).passed
    report = scanners.secrets(tools, tmp_path, files=[Path("clean.py"), Path(name)])
    assert [(each.rule, each.path) for each in report.findings] == [("github-pat", name)]
    assert token() not in str(report)
    assert status([report]) == 1


def test_a_privileged_container_is_found_in_the_chart(tools: Tools, tmp_path: Path) -> None:
    chart = tmp_path / "slipway"
    shutil.copytree(ROOT / "charts" / "slipway", chart)
    before = scanners.configuration(tools, [chart], root=tmp_path)
    template = chart / "templates" / "_helpers.tpl"
    text = template.read_text()
    assert "allowPrivilegeEscalation: false" in text
    template.write_text(text.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"))
    after = scanners.configuration(tools, [chart], root=tmp_path)
    new = {(each.rule, each.path) for each in after.findings} - {(each.rule, each.path) for each in before.findings}
    assert ("KSV-0001", "slipway/templates/gateway.yaml") in new


def test_a_folder_in_which_nothing_is_checked_is_an_error(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(ScannerFailed, match="checked nothing"):
        scanners.configuration(tools, [tmp_path], root=tmp_path)


def test_a_scanner_that_is_not_there_is_an_error_and_no_empty_result(tmp_path: Path) -> None:
    with pytest.raises(ScannerFailed, match="make audit"):
        scanners.code(Tools(tmp_path), [tmp_path], root=tmp_path)


def test_what_was_not_done_does_not_pass_for_done() -> None:
    outcomes: list[Outcome] = [NotDone("a", "why", "where"), AuditReport("b", "1 file")]
    assert status(outcomes) == 0
    assert not isinstance(outcomes[0], AuditReport)
