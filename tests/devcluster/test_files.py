"""Replacing files and holding locks."""

import stat
import threading
from pathlib import Path

from devcluster.files import locked, write


def test_a_file_is_replaced_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write(path, "one")
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_lock_is_held_by_one_at_a_time_even_when_its_file_is_removed(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "lock", [0], [0]

    def enter() -> None:
        for _ in range(20):
            with locked(path, "test"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                path.unlink()  # as the last act

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert most == [1]
