"""A report on an index: right figures, a suggestion that follows from them, and the command on real parts."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from slipway_crds.runtimeconfig import SearchMode
from slipway_runtime.cli import app
from slipway_runtime.evals.cases import CaseKind, CasesInvalid, CaseSpec, load_cases
from slipway_runtime.evals.index_report import usable_cases
from slipway_runtime.evals.search_figures import MODES, CaseSearch, SearchFigures, figures, suggest
from slipway_runtime.settings import default_model_dir

ROOT = Path(__file__).parents[3]


def answerable(document: str) -> CaseSpec:
    expect = {"documents": [document], "contains": ["x"]}
    return CaseSpec.model_validate({"name": "one", "question": "?", "kind": "answerable", "expect": expect})


NOTHING = CaseSpec(name="two", question="?", kind=CaseKind.NEAR_MISS)


def searched(case: CaseSpec, *found: tuple[str, float]) -> CaseSearch:
    return CaseSearch(case, found, max((score for _, score in found), default=0.0))


def test_ranks_are_of_documents_and_a_threshold_leaves_some_out() -> None:
    case = searched(answerable("b.md"), ("a.md", 0.8), ("a.md", 0.7), ("b.md", 0.6))
    assert [case.rank(threshold) for threshold in (0.5, 0.65, 0.9)] == [2, None, None]
    assert [case.is_right(threshold) for threshold in (0.5, 0.9)] == [True, False]
    near_miss = searched(NOTHING, ("a.md", 0.4))
    assert [near_miss.is_right(threshold) for threshold in (0.3, 0.5)] == [False, True]


def of(made: list[SearchFigures], mode: SearchMode, threshold: float) -> SearchFigures:
    [found] = [each for each in made if (each.mode, each.threshold) == (mode, threshold)]
    return found


def test_the_suggestion_is_the_middle_of_the_best_thresholds_of_the_best_mode() -> None:
    good = [searched(answerable("a.md"), ("a.md", 0.7)), searched(NOTHING, ("a.md", 0.4))]
    bad = [searched(answerable("a.md"), ("b.md", 0.7), ("a.md", 0.6)), searched(NOTHING, ("a.md", 0.65))]
    made = figures({"dense": bad, "lexical": bad, "hybrid": good})
    assert (of(made, "dense", 0.5).mrr, of(made, "dense", 0.5).hit_at_1, of(made, "dense", 0.5).hit_at_3) == (0.5, 0, 1)
    suggestion = suggest(made, current="dense")
    assert (suggestion.figures.mode, suggestion.figures.threshold, suggestion.figures.balance) == ("hybrid", 0.55, 1.0)
    assert "as from 0.45 to 0.70" in suggestion.reason
    assert "dense reaches" in suggestion.reason


def test_of_equal_modes_the_index_keeps_its_own() -> None:
    good = [searched(answerable("a.md"), ("a.md", 0.7)), searched(NOTHING)]
    made = figures({mode: good for mode in MODES})
    assert [suggest(made, current=mode).figures.mode for mode in MODES] == list(MODES)


@pytest.mark.parametrize("cases", [[answerable("a.md")], [NOTHING]])
def test_a_threshold_needs_both_kinds_of_cases(cases: list[CaseSpec]) -> None:
    with pytest.raises(CasesInvalid, match="a report needs answerable ones"):
        usable_cases(cases)


def handbook(folder: Path) -> Path:
    """The handbook's index with three documents, and the cases that are about them or about nothing."""
    manifests = folder / "manifests"
    manifests.mkdir()
    for name in ("agent.yaml", "vectorindex.yaml"):
        (manifests / name).write_text((ROOT / "examples/handbook" / name).read_text())
    documents = {name: (ROOT / "docs/decisions" / name).read_text() for name in decisions()}
    documents["tea.md"] = "# Tea\n\nGreen tea is brewed at eighty degrees.\n"
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "handbook", "namespace": "demo"}}
    (manifests / "documents.yaml").write_text(yaml.safe_dump({**config_map, "data": documents}))
    return manifests


def decisions() -> list[str]:
    return ["0003-extractive-first.md"]


def cases_file(folder: Path) -> Path:
    chosen: list[dict[str, Any]] = [
        {
            "name": "tea",
            "question": "How hot is the water for green tea?",
            "kind": "answerable",
            "expect": {"documents": ["tea.md"], "contains": ["eighty"]},
        }
    ]
    for case in load_cases([ROOT / "examples/handbook/cases.yaml"]):
        named = {f"decisions-{each}" for each in decisions()}
        if case.expect is None or named & set(case.expect.documents):
            fields = case.model_dump(mode="json", exclude_defaults=True)
            if case.expect:
                fields["expect"]["documents"] = decisions()
            chosen.append(fields)
    file = folder / "cases.yaml"
    file.write_text(yaml.safe_dump({"cases": chosen}))
    return file


def test_the_command_measures_all_modes_and_suggests_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_MODEL_DIR", str(default_model_dir()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "140")
    manifests, cases, file = handbook(tmp_path), cases_file(tmp_path), tmp_path / "report.json"
    arguments = ["-i", "handbook", "-f", str(manifests), "--cases", str(cases), "--json", str(file)]
    result = CliRunner().invoke(app, ["index", "report", *arguments])
    assert result.exit_code == 0, result.output
    told = orjson.loads(file.read_bytes())
    best = max(told["figures"], key=lambda each: each["balance"])
    suggested = told["suggestion"]
    assert {each["mode"] for each in told["figures"]} == set(MODES)
    assert f"suggested search.mode {suggested['mode']}, minScore {suggested['minScore']}" in result.output
    [figure] = [
        each
        for each in told["figures"]
        if (each["mode"], f"{each['threshold']:.2f}") == (suggested["mode"], suggested["minScore"])
    ]
    assert figure["balance"] == best["balance"]
    assert figure["hit_at_1"] > 0.5
    assert "demo/handbook:" in result.output
    assert "5 passages" in result.output
    modes = {mode: [each for each in told["figures"] if each["mode"] == mode] for mode in MODES}
    assert modes["lexical"] != modes["dense"]


def test_an_index_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    arguments = ["-i", "manuals", "-f", str(handbook(tmp_path)), "--cases", str(cases_file(tmp_path))]
    result = CliRunner().invoke(app, ["index", "report", *arguments])
    assert result.exit_code == 2
    assert "there are: demo/handbook" in result.output
