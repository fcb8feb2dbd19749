"""A volume of a devcluster that is as small as a test wants it, and grows when told to."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devcluster import lifecycle, settings
from devcluster.namespaces import inside
from tests.support.cluster import Installation


@dataclass(frozen=True)
class SmallDisk:
    """A tmpfs on the node, behind a PersistentVolume of the class `storage_class`."""

    installation: Installation
    storage_class: str

    @property
    def folder(self) -> str:
        return f"/mnt/{self.storage_class}"

    def fill(self) -> None:
        """Use up what is left of it."""
        self.on_node("dd", "if=/dev/zero", f"of={self.folder}/filler", "bs=4k", status=1)

    def enlarge(self, megabytes: int) -> None:
        self.on_node("mount", "-o", f"remount,size={megabytes}m", self.folder)

    def on_node(self, *command: str, status: int = 0) -> None:
        """Run a command where the volume is mounted; it must end with that status."""
        _, holder = lifecycle.running_node(settings.cluster(self.installation.target.name))
        done = subprocess.run(inside(holder, list(command)), capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr


@contextmanager
def small_disk(installation: Installation, *, megabytes: int) -> Iterator[SmallDisk]:
    """The volume, until the block ends."""
    disk = SmallDisk(installation, f"small-{secrets.token_hex(3)}")
    disk.on_node("mkdir", "-p", disk.folder)
    disk.on_node("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tmpfs", disk.folder)
    installation.kube.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": disk.storage_class},
                "spec": {
                    "storageClassName": disk.storage_class,
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "hostPath": {"path": disk.folder, "type": "Directory"},
                },
            }
        ]
    )
    try:
        yield disk
    finally:
        installation.kube.run("delete", "persistentvolume", disk.storage_class, "--wait=false")
        disk.on_node("umount", "--lazy", disk.folder)
        disk.on_node("rmdir", disk.folder)
