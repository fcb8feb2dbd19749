"""Documents of the user's own: refused before anything is started, and asked about what is in them."""

from pathlib import Path

import pytest

from slipway_demo import demo
from slipway_demo.clusters import Devcluster
from slipway_demo.documents import manifests, questions
from slipway_demo.errors import DemoError


class Untouched(Devcluster):
    """A cluster that nobody may start."""

    def start(self) -> None:
        raise AssertionError("the documents were to be looked at first")


def test_a_folder_without_documents_is_refused_before_a_cluster_is_started(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="cannot be used"):
        demo.up(Untouched(), docs=tmp_path, ask=None)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("# Bees\n\n- one\n\nA cluster keeps 35 degrees.\n", "What is known about this: A cluster keeps 35 degrees."),
        ("word " * 40, f"What is known about this: {' '.join(['word'] * 15)}"),
        ("# How warm is it?\n\nQuite.\n", "What are the documents about?"),
    ],
)
def test_the_question_is_about_the_users_documents(tmp_path: Path, text: str, question: str) -> None:
    (tmp_path / "bees.md").write_text(text)
    (tmp_path / ".hidden.md").write_text("This is not among the documents at all.\n")
    with manifests(tmp_path) as folder:
        assert questions(folder) == (question, question)


def test_files_that_are_no_documents_are_counted_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("bees.md", "pic.png", "table.csv", ".hidden"):
        (tmp_path / name).write_text("text\n")
    with manifests(tmp_path):
        (line,) = capsys.readouterr().err.splitlines()
    assert line == f"2 files are left out in {tmp_path}: only .markdown, .md, .mdx, .text, .txt are taken"
