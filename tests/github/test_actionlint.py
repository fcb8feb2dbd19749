"""actionlint and shellcheck read the workflows, and find what is planted for them."""

import shutil
from pathlib import Path

import pytest

from scripts import actionlint
from tests.support.scanners import tools

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shellcheck() -> Path:
    found = tools()
    if found is None:
        pytest.skip("shellcheck is not installed: `make lint-delivery` installs it")
    return Path(found.path("shellcheck"))


def test_workflows_pass(shellcheck: Path) -> None:
    assert actionlint.lint(ROOT, shellcheck=shellcheck) == 0


@pytest.mark.parametrize(
    ("there", "planted", "says"),
    [
        ("runs-on:", "run-on:", "unexpected key"),
        ("steps.version.outputs.version }}", "steps.versoin.outputs.version }}", "versoin"),
        ("needs: [publish, attest]", "needs: [publish, atest]", "atest"),
        (
            'while read -r reference; do cosign sign --yes "$reference"',
            "while read -r reference; do cosign sign --yes $reference",
            "SC2086",
        ),
        ("      environment: prod", "      enviroment: prod", "enviroment"),
    ],
)
def test_mistakes_are_found(
    shellcheck: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], there: str, planted: str, says: str
) -> None:
    (tmp_path / ".git").mkdir()  # so that it is a project, whose workflows call each other
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    release = tmp_path / ".github" / "workflows" / "release.yaml"
    text = release.read_text()
    assert there in text
    release.write_text(text.replace(there, planted))
    assert actionlint.lint(tmp_path, shellcheck=shellcheck) == 1
    assert says in capfd.readouterr().out


def test_a_mistake_in_a_script_of_our_own_action_is_found(
    shellcheck: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / ".github" / "actions" / "release", tmp_path / "release")
    action = tmp_path / "release" / "action.yaml"
    assert actionlint.lint_action(action, shellcheck=shellcheck) == 0
    there = 'cosign verify "$reference"'
    assert there in action.read_text()
    action.write_text(action.read_text().replace(there, there.replace('"', "")))
    assert actionlint.lint_action(action, shellcheck=shellcheck) == 1
    said = capsys.readouterr().out
    assert "SC2086" in said
    assert "release/action.yaml, step 3" in said


def test_without_shellcheck_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert actionlint.main(["--shellcheck", str(tmp_path / "none")]) == 2
    assert "make lint-delivery" in capsys.readouterr().err
