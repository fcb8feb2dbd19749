"""Which tests with a cluster run one after the other in one worker: those that share it.

Groups go by path, so that the process that hands tests out recognises them. (xdist's own `loadgroup` writes the group
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
    "tests/cluster/operator/": "an API server",
    "tests/cluster/test_crds.py": "an API server",
    "tests/cluster/test_kustomize.py": "an API server",
    "tests/cluster/test_token_review.py": "an API server",
    "tests/cluster/test_devcluster.py": "devcluster",
    "tests/devcluster/": "devcluster",
    "tests/cluster/test_image_files.py": "a container",
    "tests/cluster/test_standalone.py": "a container",
    "tests/cluster/test_given_cluster.py": "a given cluster",
    "tests/blackbox/": SECOND,
    "tests/cluster/test_agents_idle.py": SECOND,
    "tests/cluster/test_bad_input.py": SECOND,
    "tests/cluster/test_demo.py": SECOND,
    "tests/cluster/test_gateway.py": SECOND,
    "tests/cluster/test_models.py": SECOND,
    "tests/cluster/test_sessions.py": SECOND,
    "tests/cluster/test_store_unavailable.py": SECOND,
    "tests/terraform/": "terraform",
    "tests/tfreplay/": "terraform",
}
"""Beginning of a path -> the group of its tests; all others are of SHARED.

`--no-loadscope-reorder` begins groups in the order in which pytest collects them, which has the three longest first.
A worker is given its next group when it has two tests left, so none of a group's last two should take long.
"""


def group_of(nodeid: str) -> str:
    """The group of a test with a cluster."""
    return next((group for path, group in GROUPS.items() if nodeid.startswith(path)), SHARED)


SLOW = "tests/security/"
"""Has tests that take half a minute: a worker that began with them last would end a minute after the others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow goes first; tests with a cluster keep the order of their groups."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW) or item.get_closest_marker("cluster") is not None)


class ByCluster(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
    """Whole groups go to workers."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)  # a run without xdist does not know it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByCluster | None:
    """Scheduler of `--dist loadscope`; every other way of handing out tests is xdist's own."""
    return ByCluster(config, log) if config.getoption("dist") == "loadscope" else None
