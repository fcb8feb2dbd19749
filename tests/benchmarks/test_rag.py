"""The measure of answers measures what it says, on rows whose figures are known by hand."""

import json
from pathlib import Path

import pytest

from benchmarks.rag import CorpusQuestion, QuestionOutcome, area_under_curve, main, measure, read_data, token_recall
from slipway_runtime.settings import default_model_dir


def row(question: str, title: str, text: str, *answers: str) -> str:
    passage = {"title": title, "text": text, "sentences": [text]}
    return json.dumps(
        {"id": question, "input": question, "passages": [passage], "output": [{"answer": a} for a in answers]}
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    answerable = [
        row("how hot is green tea brewed", "Tea", "Green tea is brewed at eighty degrees .", "At eighty degrees ."),
        row("how long do cats sleep", "Cats", "Cats sleep for most of the day .", "For most of the day ."),
    ]
    unanswerable = [row("who invented the slipway", "Boats", "A slipway is a ramp for boats .", "")]
    (folder / "answerable.jsonl").write_text("\n".join(answerable) + "\n")
    (folder / "unanswerable.jsonl").write_text("\n".join(unanswerable) + "\n")
    return folder


def test_every_passage_is_a_document_once(data: Path) -> None:
    documents, questions = read_data(data)
    assert len(documents) == 3
    assert [bool(question.answers) for question in questions] == [True, True, False]
    assert all(question.passages <= set(documents) for question in questions)


def test_recall_counts_each_word_as_often_as_it_is_expected() -> None:
    assert token_recall("The day is long", "the long day") == 1.0
    assert token_recall("day", "day and day") == pytest.approx(1 / 3)
    assert token_recall("", "day") == 0.0


def test_the_area_is_the_chance_of_the_right_order() -> None:
    assert area_under_curve([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert area_under_curve([0.1], [0.9]) == 0.0
    assert area_under_curve([0.5], [0.5]) == 0.5


def test_figures_are_those_of_the_rows() -> None:
    questions = [
        CorpusQuestion("a", frozenset({"1"}), ("one two",)),
        CorpusQuestion("b", frozenset({"2"}), ()),
        CorpusQuestion("c", frozenset({"3"}), ("three four",)),
    ]
    outcomes = [
        QuestionOutcome(("1", "2"), "one two", 0.9, 0.1),
        QuestionOutcome(("2",), "x", 0.5, 0.1),
        QuestionOutcome(("1", "3"), "three", 0.4, 0.1),
    ]
    figures = measure(questions, outcomes)
    assert figures["hit@1"] == 0.5
    assert figures["hit@5"] == 1.0
    assert figures["answer-token recall"] == 0.75
    assert figures["ROUGE-L"] == pytest.approx((1 + 2 / 3) / 2)
    assert figures["abstention AUC"] == 0.5


def test_the_whole_path_is_measured(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_MODEL_DIR", str(default_model_dir()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    report = tmp_path / "report.json"
    assert main([str(data), "--json", str(report)]) == 0
    written = json.loads(report.read_text())
    assert written["figures"]["hit@1"] == 1.0
    assert written["figures"]["abstention AUC"] == 1.0
    assert written["questions"][0]["answer"] == "Green tea is brewed at eighty degrees ."


def test_a_folder_without_the_data_says_where_it_comes_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "github.com/primeqa/clapnq" in capsys.readouterr().out
