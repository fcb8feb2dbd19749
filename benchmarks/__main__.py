"""The command line: `python -m benchmarks [NAME]... [--small] [--wait SECONDS]`, or `... docs`.

NAME is `question`, `architectures`, `startup`, `models`, `gateway`, `workflow`, `vectors` or `scale`.

Exits with 0 when everything could be measured: a missed bar is a finding, and printed as one.
"""

import argparse
import asyncio
import importlib
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import reports
from benchmarks.figures import BenchmarkFailed, BenchmarkReport
from devcluster.errors import DevclusterError
from slipway_demo.errors import DemoError

KNOWN = (BenchmarkFailed, DevclusterError, DemoError)
NAMES = ("question", "architectures", "startup", "models", "gateway", "workflow", "vectors", "scale")
console = Console(highlight=False)


def main() -> int:
    """Run what is asked for; everything if nothing is."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*NAMES, "docs", []], metavar="|".join([*NAMES, "docs"]))
    parser.add_argument("--small", action="store_true", help="a small scale, to try the benchmark itself")
    parser.add_argument("--wait", type=float, default=180.0, help="seconds to wait for a quiet machine (180)")
    parser.add_argument("--results", type=Path, help="folder for the JSON files (benchmarks/results)")
    parsed = parser.parse_args()
    if parsed.what == ["docs"]:
        write_page()
        return 0
    results = parsed.results or (None if parsed.small else reports.RESULTS)
    failed = [name for name in parsed.what or NAMES if not run(name, parsed.small, parsed.wait, results)]
    return 1 if failed else 0


def run(name: str, reduced: bool, wait: float, results: Path | None) -> bool:
    """Run one benchmark and print what it finds. False if it could not be run."""
    measure = importlib.import_module(f"benchmarks.{name}").measure
    try:
        with console.status(f"{name}: measuring"):
            report: BenchmarkReport = asyncio.run(measure(reduced=reduced, wait=0 if reduced else wait))
    except KNOWN as error:
        return unmeasured(name, error)
    except ExceptionGroup as errors:  # from tasks that ran at the same time
        known, others = errors.split(KNOWN)
        if known is None or others is not None:
            raise
        return unmeasured(name, known.exceptions[0])
    console.print(reports.table(report))
    for note in reports.notes(report):
        console.print(f"- {note}", markup=False)
    if results:
        console.print(f"written to {reports.save(report, results)}", markup=False)
    return True


def unmeasured(name: str, error: Exception) -> bool:
    """Say why there are no figures."""
    console.print(f"{name} could not be measured: {error}", style="red", markup=False)
    return False


def write_page() -> None:
    """Put the stored results into docs/benchmarks.md."""
    text = reports.markdown(reports.load_all(reports.RESULTS))
    reports.PAGE.write_text(reports.in_page(reports.PAGE.read_text(), text))
    console.print("docs/benchmarks.md shows the stored results now; `make generate` brings it into the handbook")


if __name__ == "__main__":
    sys.exit(main())
