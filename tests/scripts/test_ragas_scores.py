"""What of the ragas report is ours; ragas itself lives in an environment of its own."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "ragas_scores.py"


@pytest.fixture
def scores() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ragas_scores", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_of_two_phrases_the_one_in_the_answer_is_expected(scores: ModuleType) -> None:
    case = {"answer": "It is Gone.", "expect": {"contains": ["deleted|gone", "first|second"]}}
    assert scores.expected(case) == ["gone", "first"]


def test_a_report_without_answerable_cases_is_refused(scores: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "eval.json"
    report.write_text(json.dumps({"cases": [{"kind": "near-miss"}]}))
    assert scores.main([str(report)]) == 2
