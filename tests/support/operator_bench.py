"""A namespace on a real cluster with an index and an agent of the test's own, and what the operator wrote there."""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from devcluster import settings
from tests.support import operator_manifests as manifests
from tests.support.cluster import Installation

OPERATOR = "system:serviceaccount:slipway-system:slipway-operator"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
DEADLINE = 180.0


@dataclass(frozen=True)
class Bench:
    """Resources in one namespace."""

    installation: Installation
    namespace: str
    own: str = "support"
    """Name of the test's agent."""

    def apply(self, *objects: dict[str, Any]) -> None:
        self.installation.kube.apply(objects)

    def agent(self, name: str = "", **spec: Any) -> dict[str, Any]:
        return manifests.agent(self.namespace, name or self.own, **spec)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The object; empty if there is none."""
        found = self.items(kind)
        return next((each for each in found if each["metadata"]["name"] == name), {})

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        more = [f"--selector={selector}"] if selector else []
        return self.installation.kube.items(kind, f"--namespace={self.namespace}", *more)

    def condition(self, kind: str, name: str, condition: str = "Ready") -> dict[str, Any]:
        """One condition; empty if it is absent."""
        found = self.get(kind, name).get("status", {}).get("conditions", [])
        return next((dict(each) for each in found if each["type"] == condition), {})

    def until_condition(
        self,
        kind: str,
        name: str,
        *,
        status: str = "True",
        reason: str = "",
        condition: str = "Ready",
        deadline: float = DEADLINE,
    ) -> dict[str, Any]:
        """Wait for a condition, and return it."""
        seen: dict[str, Any] = {}

        def so() -> bool:
            nonlocal seen
            seen = self.condition(kind, name, condition)
            return seen.get("status") == status and (not reason or seen.get("reason") == reason)

        wait(so, lambda: f"{kind} {name}: {condition}={status} {reason}; it is {seen}", deadline=deadline)
        return seen

    def ready_pods(self, name: str = "") -> list[str]:
        """Names of an agent's ready pods."""
        return self.installation.ready_pods(self.namespace, agent=name or self.own)

    def revisions(self, name: str = "") -> dict[str, str]:
        """State by revision."""
        found = self.get("agents", name or self.own).get("status", {}).get("revisions") or []
        return {each["name"]: each["state"] for each in found}


def written(installation: Installation, since: datetime) -> list[tuple[str, str, str]]:
    """Everything that the operator's account wrote in the cluster, by the audit log."""
    found = []
    for event in _events(settings.cluster(installation.target.name).audit_log):
        reference = event.get("objectRef") or {}
        if event["user"]["username"] != OPERATOR or event["verb"] not in WRITES:
            continue
        if datetime.fromisoformat(event["requestReceivedTimestamp"]) >= since:
            name = f"{reference.get('namespace', '')}/{reference.get('name', '')}"
            found.append((str(event["verb"]), str(reference.get("resource")), name))
    return found


def _events(log: Path) -> Iterator[Mapping[str, Any]]:
    with log.open() as lines:
        for line in lines:
            if OPERATOR in line:  # most are the cluster's own, and the log is long
                with suppress(json.JSONDecodeError):
                    yield json.loads(line)


def wait(condition: Callable[[], object], what: Callable[[], str], *, deadline: float = DEADLINE) -> None:
    """Return as soon as the condition holds; fail with what did not come true in time."""
    until = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < until, f"not within {deadline:g} s: {what()}"
        time.sleep(0.5)


@contextmanager
def new_bench(installation: Installation, name: str = "") -> Iterator[Bench]:
    """A namespace that enforces the restricted standard, with a name of its own if none is given."""
    if name:  # it may be on its way out, if a test is run again
        installation.kube.run("delete", "namespace", name, "--ignore-not-found", "--timeout=120s")
    name = name or f"bench-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    installation.kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])
    try:
        yield Bench(installation, name)
    finally:
        installation.kube.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def bench(installation: Installation) -> Iterator[Bench]:
    """A namespace of the test's own."""
    with new_bench(installation) as made:
        yield made


@pytest.fixture
def serving(bench: Bench) -> Bench:
    """The namespace with a small index and an agent that serves."""
    bench.apply(manifests.documents(bench.namespace), manifests.index(bench.namespace), bench.agent())
    bench.until_condition("vectorindexes", "handbook")
    bench.until_condition("agents", "support")
    return bench


@pytest.fixture(scope="module")
def shared_index(installation: Installation) -> Iterator[Bench]:
    """A namespace with a small index, for the agents of a module's tests."""
    with new_bench(installation) as made:
        made.apply(manifests.documents(made.namespace), manifests.index(made.namespace))
        made.until_condition("vectorindexes", "handbook")
        yield made


@pytest.fixture
def sharing(shared_index: Bench) -> Iterator[Bench]:
    """That namespace with an agent of the test's own that serves."""
    bench = replace(shared_index, own=f"support-{secrets.token_hex(2)}")
    try:
        bench.apply(bench.agent())
        bench.until_condition("agents", bench.own)
        yield bench
    finally:
        # All of them: the operator rolls few agents at a time, and none of an earlier test should be among them.
        bench.installation.kube.run("delete", "agents", "--all", f"--namespace={bench.namespace}")
