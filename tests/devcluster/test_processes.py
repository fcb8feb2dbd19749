"""Recognising processes after crashes, reboots and reuse of their ids."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster import processes
from devcluster.processes import Record

STAT = "42 ({name}) {state} 1 42 42 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 9 0 777 1000000 250 18446744073709551615 1 1"


@pytest.mark.parametrize("name", ["etcd", "a b", "x) Z 1 (y", "((("])
def test_stat_is_read_whatever_the_program_is_called(name: str) -> None:
    process = processes.parse_stat(STAT.format(name=name, state="S"))
    assert process == processes.Process(state="S", ticks=777, memory=250 * processes.PAGE)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 30 s"


def _record_of_ourselves() -> Record:
    ticks = processes.parse_stat(Path("/proc/self/stat").read_text()).ticks
    return Record(pid=os.getpid(), ticks=ticks, boot=processes.boot_id(), command=["pytest"], since=0)


def test_a_process_is_recognised_by_id_start_and_boot() -> None:
    record = _record_of_ourselves()
    assert processes.running(record)
    assert processes.running(record.model_copy(update={"ticks": record.ticks + 1})) is None
    assert processes.running(record.model_copy(update={"boot": "another"})) is None
    assert processes.running(None) is None


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}'])
def test_a_record_that_a_crash_left_unreadable_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "etcd.json"
    assert processes.read_record(path) is None
    path.write_text(content)
    assert processes.read_record(path) is None


def test_a_started_process_is_recorded_logs_and_can_be_stopped(tmp_path: Path) -> None:
    path, log = tmp_path / "p.json", tmp_path / "logs" / "p.log"
    command = ["sh", "-c", "echo started; exec sleep 1000"]
    record = processes.start(path, command, groups=[], log=log)
    assert processes.read_record(path) == record
    assert record.command == command
    assert processes.running(record)
    processes.stop(record)
    assert processes.running(record) is None
    processes.stop(record)  # of what has ended already


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "p.log"
    command = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1000 & wait; done"]
    record = processes.start(tmp_path / "p.json", command, groups=[], log=log)
    _until(lambda: "deaf" in log.read_text())
    processes.stop(record, grace_s=0)
    assert processes.running(record) is None


def test_the_launcher_enters_every_group_before_the_command_runs(tmp_path: Path) -> None:
    groups = [tmp_path / "a b", tmp_path / "c"]
    for group in groups:
        group.mkdir()
    record = processes.start(tmp_path / "p.json", ["sleep", "1000"], groups=groups, log=tmp_path / "p.log")
    written = [group / "cgroup.procs" for group in groups]
    _until(lambda: all(file.is_file() and file.read_text() for file in written))
    processes.stop(record)
    assert [file.read_text().strip() for file in written] == [str(record.pid)] * 2


def test_a_command_does_not_run_outside_its_group(tmp_path: Path) -> None:
    log = tmp_path / "p.log"
    record = processes.start(tmp_path / "p.json", ["echo", "outside"], groups=[tmp_path / "gone"], log=log)
    _until(lambda: not processes.running(record))
    assert "outside" not in log.read_text()
