"""Starts, watches and stops the processes of one cluster: the effects behind `up` and `down`."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from devcluster import cgroups, namespaces, processes
from devcluster.components import Component
from devcluster.errors import DevclusterError
from devcluster.files import write
from devcluster.progress import step
from devcluster.settings import Cluster

HOLDER = "namespaces"
"""Name of the process that holds the cluster's namespaces."""


@dataclass
class Node:
    """The running side of a cluster."""

    cluster: Cluster
    pause: Path
    started: list[str] = field(default_factory=list)
    """Names of what this command has started."""

    def holder(self) -> int | None:
        """Process id of the namespaces' holder, if it lives and its namespaces were set up to the end."""
        record = self.record(HOLDER)
        ready = self.cluster.root / "namespaces-ready"
        if record is None or not processes.running(record) or not ready.is_file():
            return None
        return record.pid if ready.read_text() == _identity(record) else None

    def ensure_holder(self) -> int:
        """Process id of a holder with namespaces that are set up.

        Without its namespaces nothing of a cluster can go on, so when the holder is gone everything else is killed too,
        and what starts next finds the disk as after a reboot.
        """
        if (holder := self.holder()) is not None:
            return holder
        self.kill_everything()
        shutil.rmtree(namespaces.private_folder(self.cluster, "/run/containerd"), ignore_errors=True)
        record = self._launch(Component(HOLDER, tuple(namespaces.holder_command(self.pause))))
        self.wait("the namespaces", lambda: namespaces.entered(record.pid), deadline_s=10)
        namespaces.set_up(self.cluster, record.pid)
        write(self.cluster.root / "namespaces-ready", _identity(record))
        return record.pid

    def ensure(self, component: Component, *, holder: int | None) -> None:
        """Start a component unless it runs already with the same command line; replace it when that differs.

        It runs in the namespaces of `holder`, or in this machine's own when that is None.
        """
        command = component.command if holder is None else tuple(namespaces.inside(holder, component.command))
        record = self.record(component.name)
        if record and processes.running(record):
            if tuple(record.command) == command:
                return
            processes.stop(record)
        self._launch(Component(component.name, command))

    def stop(self, name: str) -> None:
        """Stop one component and forget it."""
        if record := self.record(name):
            processes.stop(record)
        self._record_path(name).unlink(missing_ok=True)

    def stop_components(self) -> None:
        """Stop what was started, newest first, but the holder and the pods' own processes."""
        records = [(name, record) for name, record in self.records().items() if name != HOLDER]
        for _, record in sorted(records, key=lambda pair: -pair[1].since):
            processes.stop(record)

    def kill_everything(self) -> None:
        """Kill every process of the cluster, pods included, and remove their control groups.

        A kubelet that finds groups of dead containers looks for each of them for three seconds before it reports.
        """
        cgroups.kill(self.cluster.cgroup)
        cgroups.remove(self.cluster.cgroup)

    def wait(self, what: str, check: Callable[[], bool], *, deadline_s: float) -> None:
        """Wait until `check()` is true; `what` is shown meanwhile, unless it is true at once.

        Raises DevclusterError when the deadline passes, or when a process that was started ends meanwhile.
        """
        if check():
            return
        until = time.monotonic() + deadline_s
        with step(f"waiting for {what}"):
            while not check():
                self._all_started_run(what)
                if time.monotonic() > until:
                    raise DevclusterError(f"waited {deadline_s:.0f} s for {what}; see `devcluster status` and `logs`")
                time.sleep(0.1)

    def _all_started_run(self, what: str) -> None:
        for name in self.started:
            if not processes.running(self.record(name)):
                lines = self.last_lines(name)
                raise DevclusterError(f"waited for {what}, but {name} has ended. Its last lines:\n{lines}")

    def last_lines(self, name: str, count: int = 8) -> str:
        log = self.cluster.logs / f"{name}.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.is_file() else "(no log)"

    def record(self, name: str) -> processes.Record | None:
        return processes.read_record(self._record_path(name))

    def since(self, name: str) -> float:
        """When a component was started, in seconds since 1970; 0 when it never was."""
        record = self.record(name)
        return record.since if record else 0.0

    def records(self) -> dict[str, processes.Record]:
        """Every process that was started for the cluster, running or not, by name."""
        found = {path.stem: processes.read_record(path) for path in sorted(self.cluster.records.glob("*.json"))}
        return {name: record for name, record in found.items() if record}

    def _record_path(self, name: str) -> Path:
        return self.cluster.records / f"{name}.json"

    def _launch(self, component: Component) -> processes.Record:
        record = processes.start(
            self._record_path(component.name),
            component.command,
            groups=cgroups.create(self.cluster.cgroup),
            log=self.cluster.logs / f"{component.name}.log",
        )
        self.started.append(component.name)
        return record


def _identity(record: processes.Record) -> str:
    return f"{record.boot} {record.pid} {record.ticks}"
