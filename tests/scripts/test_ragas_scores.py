"""What of the ragas report is ours; ragas itself lives in an environment of its own."""

import json
from pathlib import Path

from scripts import ragas_scores


def test_of_two_phrases_the_one_in_the_answer_is_expected() -> None:
    case = {"answer": "It is Gone.", "expect": {"contains": ["deleted|gone", "first|second"]}}
    assert ragas_scores.expected(case) == ["gone", "first"]


def test_a_report_without_answerable_cases_is_refused(tmp_path: Path) -> None:
    report = tmp_path / "eval.json"
    report.write_text(json.dumps({"cases": [{"kind": "near-miss"}]}))
    assert ragas_scores.main([str(report)]) == 2
