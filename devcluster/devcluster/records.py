"""What is remembered of a cluster between commands."""

import socket

from pydantic import BaseModel, Field

from devcluster.errors import DevclusterError
from devcluster.files import locked, write
from devcluster.settings import DEFAULT_MINOR, FIRST_DOOR_PORT, Cluster, cluster, known_clusters


class Door(BaseModel):
    """A port of 127.0.0.1 that leads to an address in the cluster's network."""

    to: str
    """ADDRESS:PORT in the cluster."""
    port: int


class ClusterRecord(BaseModel):
    """What a cluster was started as; kept in `cluster.json` in its folder."""

    minor: str = DEFAULT_MINOR
    api_only: bool = False
    port: int
    """Port of 127.0.0.1 that leads to the API server."""
    doors: dict[str, Door] = Field(default_factory=dict)


def load(wanted: Cluster) -> ClusterRecord | None:
    """The record of a cluster; None when it was never started."""
    path = wanted.root / "cluster.json"
    return ClusterRecord.model_validate_json(path.read_bytes()) if path.is_file() else None


def require(wanted: Cluster) -> ClusterRecord:
    """The record of a cluster. Raises DevclusterError when it was never started."""
    record = load(wanted)
    if record is None:
        raise DevclusterError(
            f"there is no cluster {wanted.name!r}: start it with `devcluster up --name {wanted.name}`"
        )
    return record


def save(wanted: Cluster, record: ClusterRecord) -> None:
    write(wanted.root / "cluster.json", record.model_dump_json(indent=2))


def new(wanted: Cluster, *, minor: str, api_only: bool) -> ClusterRecord:
    """The record of a new cluster, saved, so that none that starts at the same time is given the same port.

    Raises DevclusterError when no port is free.
    """
    with locked(wanted.root.parent / ".ports.lock", "choosing a port"):
        record = ClusterRecord(minor=minor, api_only=api_only, port=free_port())
        save(wanted, record)
    return record


def free_port() -> int:
    """A port of 127.0.0.1 for a new cluster's API server, free now and promised to no other cluster."""
    others = [load(cluster(name)) for name in known_clusters()]
    taken = {other.port for other in others if other} | {
        door.port for other in others if other for door in other.doors.values()
    }
    port = FIRST_DOOR_PORT
    while port in taken or not _bindable(port):
        port += 1
        if port > FIRST_DOOR_PORT + 200:
            raise DevclusterError(f"no port of 127.0.0.1 between {FIRST_DOOR_PORT} and {port} is free")
    return port


def any_port() -> int:
    """Some port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
