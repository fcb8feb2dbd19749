"""What a folder's digest follows, and that a folder that passed is not checked again."""

from pathlib import Path

import pytest

from tfreplay import verdicts
from tfreplay.check import check

FILES = {
    "module/main.tf": 'locals { text = file("${path.module}/../words/text.txt") }\n',
    "stack/main.tf": 'module "this" { source = "../module" }\n',
    "stack/tests/plan.tftest.hcl": 'run "plan" { command = plan }\n',
    "words/text.txt": "one",
    "words/other.txt": "one",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("name", "followed"),
    [
        ("stack/main.tf", True),
        ("stack/new.tftest.hcl", True),
        ("stack/tests/plan.tftest.hcl", True),
        ("module/main.tf", True),
        ("module/deep/new.txt", True),
        ("words/text.txt", True),
        ("words/other.txt", False),
        ("stack/.terraform/new.tf", False),
        ("unrelated/main.tf", False),
    ],
)
def test_a_digest_follows_what_the_folder_reads(
    tree: Path, name: str, followed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "_tool", lambda: "")
    before = verdicts.digest(tree / "stack")
    verdicts._content.cache_clear()
    file = tree / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("locals {}\n")
    assert (verdicts.digest(tree / "stack") != before) == followed


@pytest.mark.terraform
def test_what_passed_is_not_checked_again_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "_folder", lambda: tmp_path / "passed")
    for name, text in {"good": 'output "a" { value = 1 }\n', "bad": 'output "a" { valu = 1 }\n'}.items():
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "main.tf").write_text(text)

    def checked() -> dict[str, tuple[str, bool]]:
        verdicts._content.cache_clear()
        found = check(tmp_path / "tree", lambda _: None)
        return {each.folder.name: (each.step, each.before) for each in found if each.step != "fmt"}

    assert checked() == {"tree": ("", False), "good": ("", False), "bad": ("init", False)}
    assert checked() == {"tree": ("", False), "good": ("", True), "bad": ("init", False)}
    (tmp_path / "tree/good/main.tf").write_text('output "b" { value = 1 }\n')
    assert checked()["good"] == ("", False)
