"""What `devcluster status` finds out and shows."""

import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from devcluster import addons, images, lifecycle, processes, records
from devcluster.errors import DevclusterError
from devcluster.node import HOLDER, Node
from devcluster.records import ClusterRecord
from devcluster.settings import DEFAULT_MINOR, KUBERNETES, Cluster


@dataclass(frozen=True)
class Row:
    """One process."""

    name: str
    pid: int | None
    """None when it does not run."""
    since: float
    memory: int


@dataclass(frozen=True)
class Status:
    """A cluster as it is now."""

    cluster: Cluster
    record: ClusterRecord
    rows: tuple[Row, ...]
    api: bool
    node: bool
    dns: bool
    images: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        parts = self.api if self.record.api_only else self.api and self.node and self.dns
        return parts and all(row.pid for row in self.rows)


def look(cluster: Cluster) -> Status:
    """Examine a cluster. Raises DevclusterError when it was never started."""
    record = records.require(cluster)
    tools = lifecycle.kubectl(cluster, DEFAULT_MINOR if record.api_only else record.minor)
    node = Node(cluster, pause=cluster.root)
    rows = tuple(_row(name, found) for name, found in node.records().items())
    api, holder = addons.api_answers(tools), node.holder()
    return Status(
        cluster=cluster,
        record=record,
        rows=rows,
        api=api,
        node=api and addons.node_ready(tools, since=node.since("kubelet")),
        dns=holder is not None and not record.api_only and addons.dns_answers(holder),
        images=_images(node),
    )


def _row(name: str, record: processes.Record) -> Row:
    process = processes.running(record)
    return Row(name, record.pid if process else None, record.since, process.memory if process else 0)


def _images(node: Node) -> tuple[str, ...]:
    holder = node.holder()
    containerd = node.record("containerd")
    if holder is None or not processes.running(containerd):
        return ()
    try:
        return tuple(sorted(images.loaded(holder)))
    except DevclusterError:
        return ()  # containerd is starting, or broken: the table shows what else there is


def show(status: Status) -> None:
    """Print a status for people."""
    console = Console(highlight=False)
    table = Table("component", "pid", "up for", "memory", title=f"cluster {status.cluster.name}", title_justify="left")
    for row in sorted(status.rows, key=lambda row: (row.name != HOLDER, row.since)):
        if row.pid:
            table.add_row(row.name, str(row.pid), duration(time.time() - row.since), f"{row.memory / 2**20:.0f} MiB")
        else:
            table.add_row(row.name, "[red]not running[/red]", "", "")
    console.print(table)
    for name, value in details(status):
        console.print(f"{name:12}{value}", markup=False, soft_wrap=True)


def details(status: Status) -> list[tuple[str, str]]:
    """The lines below the table, as names and values."""
    record, cluster = status.record, status.cluster
    lines = [
        ("version", f"Kubernetes {KUBERNETES[record.minor]}{', API server only' if record.api_only else ''}"),
        ("API", f"https://127.0.0.1:{record.port} ({'answers' if status.api else 'does not answer'})"),
    ]
    if not record.api_only:
        lines.append(("node", "Ready" if status.node else "not Ready"))
        lines.append(("DNS", "ready" if status.dns else "not ready"))
        lines.append(("images", ", ".join(status.images) or "none"))
    lines += [(f"door {name}", f"127.0.0.1:{door.port} -> {door.to}") for name, door in record.doors.items()]
    lines += [
        ("kubeconfig", str(cluster.kubeconfig)),
        ("audit log", str(cluster.audit_log)),
        ("logs", str(cluster.logs)),
    ]
    if not status.healthy:
        lines.append(("to fix it", f"devcluster up --name {cluster.name}"))
    return lines


def duration(seconds: float) -> str:
    """3 h 5 min, 5 min 3 s or 3 s."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
