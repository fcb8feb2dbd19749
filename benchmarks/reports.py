"""Reports on the screen, in files, and in the documentation."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter
from rich.table import Table

from benchmarks.figures import BenchmarkReport, Figure

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results")
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: begin (make bench, then python -m benchmarks docs) -->", "<!-- results: end -->"
_REPORT = TypeAdapter(BenchmarkReport)


def number(value: float) -> str:
    """As many digits as are significant."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def with_unit(value: float, unit: str) -> str:
    """A value as people write it."""
    return f"{number(value)} {unit}".strip()


def table(report: BenchmarkReport) -> Table:
    """A report for the terminal."""
    scale = " (reduced: no results)" if report.reduced else ""
    made = Table(
        "figure", "value", "bar", "", title=f"{report.benchmark}{scale}", caption=circumstances(report), expand=False
    )
    for figure in report.figures:
        made.add_row(figure.name, with_unit(figure.value, figure.unit), _bar(figure), _coloured(figure.verdict))
    return made


def circumstances(report: BenchmarkReport) -> str:
    """When, where and of what, in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f"{report.taken}, commit {report.commit}, {report.machine}, load before {report.load:.1f}, {versions}"


def notes(report: BenchmarkReport) -> list[str]:
    """What is to be known of single figures, and of all of them."""
    return [f"{figure.name}: {figure.note}" for figure in report.figures if figure.note] + report.notes


def _bar(figure: Figure) -> str:
    return "" if figure.bar is None else with_unit(figure.bar, figure.unit)


def _coloured(verdict: str) -> str:
    colour = {"met": "green", "missed": "red"}.get(verdict)
    return f"[{colour}]{verdict}[/]" if colour else ""


def save(report: BenchmarkReport, folder: Path) -> Path:
    """Write a report as JSON; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.benchmark}.json"
    path.write_bytes(_REPORT.dump_json(report, indent=1) + b"\n")
    return path


def load_all(folder: Path) -> list[BenchmarkReport]:
    """Every report in a folder, by name."""
    return [_REPORT.validate_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def markdown(reports: Sequence[BenchmarkReport]) -> str:
    """The reports as they are in the documentation."""
    parts = [] if reports else ["None are stored yet."]
    for report in reports:
        rows = [
            f"| {figure.name} | {with_unit(figure.value, figure.unit)} | {_bar(figure)} | {figure.verdict} |"
            for figure in report.figures
        ]
        said = [f"- {note}" for note in notes(report)]
        head = [f"### {report.benchmark}", "", f"Measured {circumstances(report)}.", ""]
        lines = [*head, "| figure | value | bar | |", "|---|---|---|---|", *rows]
        parts.append("\n".join([*lines, *(["", *said] if said else [])]))
    return "\n\n".join(parts)


def in_page(page: str, text: str) -> str:
    """The page with the text between its marks.

    Raises:
        ValueError: if the marks are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for results: it needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"
