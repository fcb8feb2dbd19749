"""Reports in files, on the screen and in the documentation."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import machine, reports
from benchmarks.figures import BenchmarkReport, Figure

FIGURES = [
    Figure("time", 1.2345, "s", 1.0, "a note"),
    Figure("writes", 0, "", 0),
    Figure("memory", 287.4, "MiB"),
]


def report(**changed: object) -> BenchmarkReport:
    values: dict[str, object] = {
        "benchmark": "sample",
        "taken": "2026-11-22 15:00 UTC",
        "commit": "abc1234",
        "machine": "2 cores",
        "load": 0.5,
        "versions": {"Python": "3.11"},
        "reduced": False,
        "figures": FIGURES,
        "notes": ["on a quiet machine"],
    }
    return BenchmarkReport(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0907, "0.0907"), (1.2345, "1.23"), (63.64, "63.6"), (287.4, "287"), (6000, "6000")]
)
def test_numbers_have_as_many_digits_as_tell_something(value: float, text: str) -> None:
    assert reports.number(value) == text


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    reports.save(report(), tmp_path / "results")
    assert reports.load_all(tmp_path / "results") == [report()]


def test_a_missed_bar_is_shown_as_missed() -> None:
    rows = reports.markdown([report()]).splitlines()
    assert "| time | 1.23 s | 1 s | missed |" in rows
    assert "| writes | 0 | 0 | met |" in rows
    assert "| memory | 287 MiB |  |  |" in rows
    screen = Console(file=io.StringIO(), width=200)
    screen.print(reports.table(report()))
    assert "missed" in screen.file.getvalue()  # type: ignore[attr-defined]


def test_notes_and_circumstances_are_shown() -> None:
    text = reports.markdown([report()])
    assert "- time: a note" in text
    assert "- on a quiet machine" in text
    assert "Measured 2026-11-22 15:00 UTC, commit abc1234, 2 cores, load before 0.5, Python 3.11." in text


def test_reduced_runs_are_no_results() -> None:
    assert "no results" in str(reports.table(report(reduced=True)).title)


def test_results_replace_those_in_the_page() -> None:
    page = f"before\n{reports.BEGIN}\nold\n{reports.END}\nafter\n"
    once = reports.in_page(page, "new")
    assert "old" not in once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert reports.in_page(once, "new") == once


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for results"):
        reports.in_page("nothing here", "new")


def test_the_page_shows_the_stored_results() -> None:
    page = reports.PAGE.read_text()
    text = reports.markdown(reports.load_all(reports.RESULTS))
    assert reports.in_page(page, text) == page, "run `python -m benchmarks docs`, then scripts/handbook.py"


def test_stored_results_are_whole_runs() -> None:
    assert [each.benchmark for each in reports.load_all(reports.RESULTS) if each.reduced] == []


@pytest.mark.parametrize(("load", "notes"), [(0.5, 0), (9.0, 1)])
def test_a_busy_machine_is_said(load: float, notes: int) -> None:
    made = machine.report("sample", FIGURES, load_before=load, reduced=False)
    assert len(made.notes) == notes
    assert made.versions["Python"]
