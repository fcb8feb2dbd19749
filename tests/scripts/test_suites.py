"""No test is left out because the Makefile's suites do not look into its folder."""

import re
from pathlib import Path
from typing import Literal

import pytest

from tests.support.durations import folder_of, suites
from tests.support.workers import group_of

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"pytest\.mark\.(cluster|terraform)\b")
WHOLE_FILE = re.compile(r"^pytestmark = (\[\n    )?pytest\.mark\.(cluster|terraform)\b", re.MULTILINE)


def folders(variable: str) -> list[str]:
    """The value of a variable of the Makefile."""
    found = re.search(rf"^{variable} := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    return found[1].split()


def test_what_needs_a_cluster_or_terraform_is_where_their_suite_looks() -> None:
    marked = {file.relative_to(ROOT) for file in (ROOT / "tests").rglob("*.py") if MARK.search(file.read_text())}
    assert marked
    looked = folders("WITH_CLUSTER")
    assert [str(file) for file in sorted(marked) if str(Path(*file.parts[:2])) not in looked] == []


def test_where_the_fast_suite_does_not_look_there_is_nothing_for_it() -> None:
    files = [file for folder in folders("ONLY_CLUSTER") for file in (ROOT / folder).rglob("test_*.py")]
    assert files
    assert [str(file.relative_to(ROOT)) for file in files if not WHOLE_FILE.search(file.read_text())] == []


def report(nodeid: str, when: Literal["setup", "call", "teardown"], seconds: float) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("", None, ""), {}, "passed", None, when, duration=seconds)


def test_a_run_ends_with_what_each_suite_took_with_its_fixtures() -> None:
    reports = [
        report("tests/crds/test_a.py::test_a", "call", 4),
        report("tests/runtime/store/test_b.py::test_b[/]", "setup", 3),
        report("tests/runtime/store/test_b.py::test_b[/]", "call", 2),
        report("tests/cluster/test_demo.py::test_c", "call", 1),
    ]
    assert [line.split() for line in suites(reports, folder_of)] == [
        ["5", "s", "1", "tests", "tests/runtime"],
        ["4", "s", "1", "tests", "tests/crds"],
        ["1", "s", "1", "tests", "tests/cluster"],
    ]
    assert suites(reports[-1:], group_of) == ["     1 s      1 tests  a second release"]
