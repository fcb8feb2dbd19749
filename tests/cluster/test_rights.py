"""The rights that the chart gives are the rights that are used: the audit log of the whole cluster suite says which.

A right that the log does not show is either explained here or too much. Nothing may have been refused either.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster import settings
from tests.chart.conftest import Render
from tests.chart.conftest import helm as helm
from tests.chart.conftest import render as render
from tests.support.cluster import Installation

pytestmark = pytest.mark.cluster

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""

OPERATOR, GATEWAY = "slipway-operator", "slipway-gateway"
WHOLE_SUITE = {
    *("test_operator.py", "test_chart.py", "test_durable_runs.py", "test_indexes.py", "test_plugins.py"),
    "test_security.py",
}

# Used only when something happens that no test on this cluster makes happen.
EXPLAINED: dict[tuple[str, str], str] = {
    ("pods", "delete"): "a StatefulSet's pod of an outdated template that cannot start",
    ("events", "create"): "announces a finalizer that was given up on",
}


def test_nothing_was_refused_to_operator_or_gateway(installation: Installation) -> None:
    since = _installed(installation)
    for account in (OPERATOR, GATEWAY):
        refused = [
            (_right(entry), entry["requestURI"])
            for entry in _log(installation, account)
            if _refused(entry.get("responseStatus", {})) and entry["requestReceivedTimestamp"] > since
        ]
        assert not refused


@pytest.mark.parametrize("account", [OPERATOR, GATEWAY])
def test_every_right_is_used_or_explained(
    request: pytest.FixtureRequest, installation: Installation, render: Render, account: str
) -> None:
    ran = {item.path.name for item in request.session.items}
    if not ran >= WHOLE_SUITE:
        pytest.skip(f"the log is complete only after the whole suite; missing here: {', '.join(WHOLE_SUITE - ran)}")
    used = {_right(entry) for entry in _log(installation, account)}
    given = {right for item in render({}) if item["metadata"]["name"] == account for right in _rights(item)}
    assert not {right for right in given - used if not _explained(right, given, used)}


def _refused(status: dict[str, Any]) -> bool:
    """Whether a right was missing. A namespace on its way out refuses new content whatever the rights."""
    return status.get("code") == 403 and "because it is being terminated" not in status.get("message", "")


def _explained(right: Right, given: set[Right], used: set[Right]) -> bool:
    """Whether a right that the log does not show is needed all the same."""
    group, resource, verb = right
    if (resource, verb) in EXPLAINED:
        return True
    patch = (group, resource, "patch")
    if verb == "create":  # server-side apply of a new object is logged as patch, and needs create as well
        return patch in given and (patch in used or (resource, "patch") in EXPLAINED)
    # A child is asked for only when one of its name exists that is not known to be ours. Children are what is applied.
    return verb == "get" and {patch, (group, resource, "create")} <= given


def _log(installation: Installation, account: str) -> Iterator[dict[str, Any]]:
    """Finished requests by an account for objects."""
    user = f"system:serviceaccount:slipway-system:{account}"
    with settings.cluster(installation.target.name).audit_log.open() as lines:
        for line in lines:
            if user in line:
                entry = json.loads(line)
                if entry["user"]["username"] == user and "objectRef" in entry:
                    yield entry


def _right(entry: dict[str, Any]) -> Right:
    about = entry["objectRef"]
    below = f"/{about['subresource']}" if about.get("subresource") else ""
    return about.get("apiGroup", ""), about["resource"] + below, entry["verb"]


def _rights(item: dict[str, Any]) -> Iterator[Right]:
    for rule in item.get("rules", []):
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from ((group, resource, verb) for verb in rule["verbs"])


def _installed(installation: Installation) -> str:
    """When the release's present rights were written."""
    role = installation.kube.get("clusterrole", OPERATOR, "--show-managed-fields")
    return max(str(entry.get("time", "")) for entry in role["metadata"]["managedFields"])
