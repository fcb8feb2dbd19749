"""Starting and recognising a cluster's processes.

A record on disk says which process was started for a component. A process id alone would not do: after a crash or a
reboot it may belong to somebody else, so the time of the process' start and the boot it belongs to are kept with it.
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from devcluster.files import write

PAGE = os.sysconf("SC_PAGE_SIZE")


class Record(BaseModel):
    """What was started for a component."""

    pid: int
    ticks: int
    """Start time in clock ticks since boot, as the kernel reports it."""
    boot: str
    command: list[str]
    since: float
    """Start time in seconds since 1970, for people."""


@dataclass(frozen=True)
class Process:
    """A process as /proc shows it."""

    state: str
    ticks: int
    memory: int
    """Resident memory in bytes."""


def parse_stat(stat: str) -> Process:
    """Read /proc/PID/stat. The command's name may hold spaces and brackets, so fields count from its last bracket."""
    fields = stat[stat.rindex(")") + 1 :].split()
    return Process(state=fields[0], ticks=int(fields[19]), memory=int(fields[21]) * PAGE)


def look_at(pid: int) -> Process | None:
    """The process of that id, or None when there is none or only its exit status is left."""
    try:
        process = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if process.state in "ZX" else process


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_record(path: Path) -> Record | None:
    """The record in that file; None when there is none, or one that a crash left unreadable."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def running(record: Record | None) -> Process | None:
    """The recorded process if it is still the one that was started."""
    if record is None or record.boot != boot_id():
        return None
    process = look_at(record.pid)
    return process if process and process.ticks == record.ticks else None


def launcher(groups: Sequence[Path], command: Sequence[str]) -> list[str]:
    """A command line that enters the control groups and then becomes `command`, under the same process id.

    The shell enters the groups before anything else runs, so no child can be born outside of them. It also raises the
    limit on open files, which is 1024 on many machines.
    """
    enter = "".join(f"echo $$ > {shlex.quote(str(group / 'cgroup.procs'))} || exit 1; " for group in groups)
    return ["/bin/sh", "-c", f'{enter}ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh", *command]


def start(record: Path, command: Sequence[str], *, groups: Sequence[Path], log: Path) -> Record:
    """Start a process that outlives us, in those control groups, with its output appended to a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            launcher(groups, command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    process = look_at(started.pid)
    made = Record(
        pid=started.pid,
        ticks=process.ticks if process else -1,
        boot=boot_id(),
        command=list(command),
        since=time.time(),
    )
    write(record, made.model_dump_json())
    # Left to run: without this, Python would warn about a child that nobody waited for.
    started.returncode = 0
    return made


def stop(record: Record, *, grace_s: float = 10.0) -> None:
    """Ask a recorded process to end, and make it end when it does not within the grace time."""
    until = time.monotonic() + grace_s
    signal_to_send = signal.SIGTERM
    while running(record):
        try:
            os.kill(record.pid, signal_to_send)
        except ProcessLookupError:
            return
        if time.monotonic() > until:
            signal_to_send = signal.SIGKILL
        time.sleep(0.05)
