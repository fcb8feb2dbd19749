"""What each suite took, at the end of a run of several workers: `docs/development.md` says what to do with it."""

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from tests.support.workers import group_of


def folder_of(nodeid: str) -> str:
    """`tests/runtime` of a test somewhere below it."""
    return "/".join(nodeid.split("::")[0].split("/")[:2])


def suites(reports: Iterable[pytest.TestReport], suite_of: Callable[[str], str]) -> list[str]:
    """A line for each suite, the longest first: its seconds with those of fixtures, its tests, its name."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in reports:
        suite = suite_of(report.nodeid)
        seconds[suite] += report.duration  # type: ignore[assignment]  # typeshed's Counter counts in whole numbers
        tests[suite] += report.when == "call"
    return [f"{taken:6.0f} s  {tests[suite]:5} tests  {suite}" for suite, taken in seconds.most_common()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Sums over all workers, so they are about as many times the time that passed as there are workers."""
    spread = config.getoption("dist", "no")
    if spread == "no":
        return
    every = (each for listed in terminalreporter.stats.values() for each in listed)
    reports = (each for each in every if isinstance(each, pytest.TestReport))
    terminalreporter.section("seconds by suite, summed over the workers", "-")
    for line in suites(reports, group_of if spread == "loadscope" else folder_of):
        terminalreporter.line(line)
