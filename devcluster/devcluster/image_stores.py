"""Images unpacked once, for every cluster that begins with them.

To unpack a gigabyte of images takes a minute or two of a busy disk, and several clusters on one machine want the same
ones. So a containerd that runs for this alone unpacks them into a folder, and a new cluster's containerd starts with a
copy of that folder. The copy shares its files by hard links, since nothing ever writes to an unpacked layer: containers
write to layers of their own. Only containerd's databases are copied.
"""

import contextlib
import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import images
from devcluster.commands import run, succeeds
from devcluster.errors import DevclusterError
from devcluster.files import locked
from devcluster.progress import step
from devcluster.settings import Cluster, cache_home

START_DEADLINE_S = 30
FOLDER, RECORD = "containerd", "images.json"
"""What a store consists of: containerd's folder, and the digests by name of the images in it."""
DATABASES = ("*/meta.db", "*/metadata.db")
"""The files that a containerd changes in place."""


def home() -> Path:
    """Where the unpacked images are. One set is kept: the one that was used last."""
    return cache_home() / "image-stores"


def give(cluster: Cluster, names: Sequence[str]) -> None:
    """Put images of buildah's into a cluster whose containerd never ran. Leaves any other cluster alone.

    Args:
        names: of images in buildah's store.

    Raises:
        DevclusterError: an image is not there, or cannot be unpacked.
    """
    root = containerd_root(cluster)
    if not names or root.exists():
        return
    desired = dict(images.find_in_buildah(name) for name in names)
    with locked(home() / ".lock", "unpacking images"):
        copy(_unpacked(desired), root)
    images.remember(cluster, desired)


def containerd_root(cluster: Cluster) -> Path:
    """What a cluster's containerd keeps: images, layers and its databases."""
    return cluster.root / "containerd"


def copy(source: Path, target: Path) -> None:
    """The folder of a containerd that does not run, for another one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["cp", "--archive", "--link", str(source), str(target)])
    for pattern in DATABASES:
        for database in source.glob(pattern):
            mine = target / database.relative_to(source)
            mine.unlink()
            shutil.copy2(database, mine)


def _unpacked(desired: Mapping[str, str]) -> Path:
    """The folder of a containerd with exactly these images, by full name and digest."""
    key = hashlib.sha256(repr(sorted(desired.items())).encode()).hexdigest()[:16]
    done = home() / key
    if done.is_dir():
        return done / FOLDER
    with tempfile.TemporaryDirectory(prefix=".building-", dir=home()) as scratch:
        before = [path for path in home().iterdir() if path.is_dir() and not path.name.startswith(".")]
        known: dict[str, str] = {}
        if before:  # most layers are the same
            known = json.loads((before[0] / RECORD).read_text())
            copy(before[0] / FOLDER, Path(scratch, FOLDER))
        with step("unpacking the images for all clusters"), containerd(Path(scratch, FOLDER)) as client:
            client.change(known, desired)
        Path(scratch, RECORD).write_text(json.dumps(dict(desired)))
        Path(scratch).rename(done)
        Path(scratch).mkdir()  # for what removes it
    for path in before:
        shutil.rmtree(path)
    return done / FOLDER


@dataclass(frozen=True)
class UnpackingContainerd:
    """containerd's own client, for the one that only unpacks."""

    address: Path

    def ctr(self, *arguments: str) -> str:
        return run(["ctr", "--address", str(self.address), "--namespace", "k8s.io", *arguments])

    def images(self) -> dict[str, str]:
        """Names of its images -> digests."""
        return images.parse_images(self.ctr("images", "list"))

    def answers(self) -> bool:
        return succeeds(["ctr", "--address", str(self.address), "version"])

    def change(self, known: Mapping[str, str], desired: Mapping[str, str]) -> None:
        """Have these images in place of those. The new ones come first, so that layers of both stay."""
        for name, digest in desired.items():
            if known.get(name) != digest:
                with images.saved(name) as archive:
                    self.ctr("images", "import", str(archive))
        if gone := known.keys() - desired.keys():
            self.ctr("images", "remove", "--sync", *gone)


@contextlib.contextmanager
def containerd(root: Path) -> Iterator[UnpackingContainerd]:
    """A containerd without Kubernetes, until the block ends. Its state is in a short path: a socket's has 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="devcluster-") as folder:
        client = UnpackingContainerd(Path(folder, "containerd.sock"))
        settings = Path(folder, "config.toml")
        settings.write_text(_configuration(root, Path(folder)))
        with Path(folder, "log").open("w+") as log:
            process = subprocess.Popen(["containerd", "--config", str(settings)], stdout=log, stderr=log)
            try:
                until = time.monotonic() + START_DEADLINE_S
                while not client.answers():
                    if process.poll() is not None or time.monotonic() > until:
                        raise DevclusterError(f"containerd does not start:\n{Path(log.name).read_text()[-2000:]}")
                    time.sleep(0.1)
                yield client
            finally:
                process.terminate()
                process.wait()


def _configuration(root: Path, state: Path) -> str:
    return f"""\
version = 2
root = "{root}"
state = "{state}/state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{state}/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "{state}/opt"
"""
