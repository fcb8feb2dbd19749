"""Which tests with a cluster run one after the other in one worker: those that share it.

Groups go by path, so that the process that hands tests out can tell them. (xdist's own `loadgroup` writes the group
into an item's node id, which pytest 9.2 no longer reads from there.)
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

SHARED = "release"
"""The tests that use the chart on a cluster; its audit log tells which rights they used, so they stay together."""
SECOND = "a second release"
"""Those of them that use no right which the others do not use."""
GROUPS = {
    "tests/cluster/": SHARED,
    "tests/blackbox/": SECOND,
    "tests/cluster/test_operator_idle.py": SECOND,
    "tests/cluster/test_bad_input.py": SECOND,
    "tests/cluster/test_demo.py": SECOND,
    "tests/cluster/test_gateway.py": SECOND,
    "tests/cluster/operator/": "an API server",
    "tests/cluster/test_crds.py": "an API server",
    "tests/cluster/test_devcluster.py": "devcluster",
    "tests/devcluster/": "devcluster",
    "tests/cluster/test_given_cluster.py": "a given cluster",
    "tests/cluster/test_standalone.py": "a container",
    "tests/terraform/": "terraform",
    "tests/tfreplay/": "terraform",
}
"""Beginning of a path, the longest that fits -> the group of its tests. Groups, and what is in them, run in this order.

A worker is given its next group when it has two tests left, so none of a group's last two should take long.
"""
PATHS = list(GROUPS)


def path_of(nodeid: str) -> str | None:
    """The longest of the paths that a test's begins with."""
    return max((path for path in PATHS if nodeid.startswith(path)), key=len, default=None)


def group_of(nodeid: str) -> str:
    """The group of a test; a module of its own where nothing is said of it."""
    path = path_of(nodeid)
    return GROUPS[path] if path else nodeid.partition("::")[0]


class ByCluster(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
    """Whole groups go to workers."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests in that order, which `--no-loadscope-reorder` keeps: the groups that take longest come first."""
    if config.getoption("dist") == "loadscope":
        place = {path: number for number, path in enumerate(PATHS)}
        items.sort(key=lambda item: place.get(path_of(item.nodeid) or "", len(place)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByCluster | None:
    """Scheduler of `--dist loadscope`; every other way of handing out tests is xdist's own."""
    return ByCluster(config, log) if config.getoption("dist") == "loadscope" else None
