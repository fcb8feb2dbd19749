"""Fixtures that every room's tests may use."""

pytest_plugins = [
    "tests.support.servers",
    "tests.support.cluster",
    "tests.support.workers",
    "tests.support.model",
    "tests.support.knowledge",
]
