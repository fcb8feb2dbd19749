"""Fixtures that every room's tests may use."""

import pytest

pytest_plugins = [
    "tests.support.servers",
    "tests.support.stores",
    "tests.support.redis_server",
    "tests.support.kafka_server",
    "tests.support.cluster",
    "tests.support.handbook",
    "tests.support.workers",
    "tests.support.durations",
    "tests.support.model",
    "tests.support.knowledge",
]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a test was run again: the second run may pass, or fail for what the first one left behind."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"first run of {report.nodeid}", "_")
        terminalreporter.line(report.longreprtext)
