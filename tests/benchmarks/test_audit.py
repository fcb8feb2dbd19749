"""What counts as a write of the operator's."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.audit import OPERATOR, AuditLog, Write, writes
from benchmarks.figures import BenchmarkFailed


def line(**changed: Any) -> str:
    event = {
        "stage": "ResponseComplete",
        "verb": "patch",
        "user": {"username": OPERATOR},
        "objectRef": {"resource": "agents", "subresource": "status", "namespace": "demo", "name": "support"},
        "responseStatus": {"code": 200},
    }
    return json.dumps({**event, **changed})


def test_a_write_is_told_by_what_it_writes() -> None:
    assert writes([line()]) == [Write("patch", "agents/status", "demo", "support", 200)]


@pytest.mark.parametrize(
    "changed",
    [
        {"verb": "get"},
        {"verb": "watch"},
        {"stage": "ResponseStarted"},
        {"user": {"username": "system:admin"}},
        {"objectRef": {"resource": "leases", "namespace": "slipway-system", "name": "slipway-operator"}},
    ],
)
def test_reads_others_and_the_lease_do_not_count(changed: dict[str, Any]) -> None:
    assert writes([line(**changed)]) == []


@pytest.mark.parametrize(("code", "changed"), [(200, True), (201, True), (409, False), (403, False)])
def test_what_was_refused_changed_nothing(code: int, changed: bool) -> None:
    assert [each.changed for each in writes([line(responseStatus={"code": code})])] == [changed]


def test_only_what_came_since_counts(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(line() + "\n")
    log = AuditLog(path)
    assert log.writes() == []
    with path.open("a") as file:
        file.write(line(verb="create") + "\n" + line()[:40])
    assert [each.verb for each in log.writes()] == ["create"]


def test_a_log_that_was_begun_anew_is_not_read_as_silence(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(line() + "\n")
    log = AuditLog(path)
    path.write_text("")
    with pytest.raises(BenchmarkFailed, match="rotated"):
        log.writes()
