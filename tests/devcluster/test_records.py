"""What is remembered of clusters, and how their ports are chosen."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devcluster import records
from devcluster.errors import DevclusterError
from devcluster.records import ClusterRecord, Door
from devcluster.settings import cluster


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_record_is_read_as_it_was_saved() -> None:
    record = ClusterRecord(minor="1.36", api_only=True, port=16450, doors={"gw": Door(to="10.96.0.2:80", port=8080)})
    records.save(cluster("two"), record)
    assert records.load(cluster("two")) == record
    assert records.require(cluster("two")) == record


def test_a_cluster_that_was_never_started_is_named_with_how_to_start_it() -> None:
    assert records.load(cluster("two")) is None
    with pytest.raises(DevclusterError, match="devcluster up --name two"):
        records.require(cluster("two"))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_new_cluster_gets_a_port_that_nobody_has_or_was_promised(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "FIRST_DOOR_PORT", taken)
    records.save(cluster("one"), ClusterRecord(port=taken + 1, doors={"gw": Door(to="10.96.0.2:80", port=taken + 2)}))
    assert records.free_port() > taken + 2


def test_any_port_is_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", records.any_port()))


def test_clusters_that_start_at_the_same_time_get_ports_of_their_own() -> None:
    names = [f"c{number}" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as pool:
        made = list(pool.map(lambda name: records.new(cluster(name), minor="1.34", api_only=True), names))
    assert len({record.port for record in made}) == len(names)
    assert [records.load(cluster(name)) for name in names] == made
