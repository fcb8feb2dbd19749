"""Getting images into a cluster that has no registry to pull from."""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devcluster import archives, binaries, recipes
from devcluster.commands import run, succeeds
from devcluster.components import PAUSE_IMAGE, SHELL_IMAGE
from devcluster.errors import DevclusterError
from devcluster.files import write
from devcluster.namespaces import inside
from devcluster.settings import Cluster, cache_home

BUSYBOX = Path("/bin/busybox")
_RECORD = "images.json"
"""Image name -> the digest in buildah's store that was loaded last, to see quickly that nothing changed."""


def ctr(holder: int, *arguments: str) -> str:
    """Run containerd's own client in the cluster. Kubernetes' images are in containerd's namespace "k8s.io"."""
    return run(inside(holder, ["ctr", "--namespace", "k8s.io", *arguments]))


def loaded(holder: int) -> dict[str, str]:
    """Names of the images in the cluster -> digests, without the aliases that Kubernetes adds for its own use."""
    return parse_images(ctr(holder, "images", "list"))


def answers(holder: int) -> bool:
    """Whether containerd takes calls."""
    return succeeds(inside(holder, ["ctr", "version"]))


def running(holder: int) -> set[str]:
    """Ids of the containers that run in the cluster."""
    rows = (line.split() for line in ctr(holder, "tasks", "list").splitlines()[1:])
    return {row[0] for row in rows if row[-1:] == ["RUNNING"]}


def parse_images(table: str) -> dict[str, str]:
    """Read `ctr images list`: REF TYPE DIGEST SIZE ..., with the size in two words."""
    rows = (line.split() for line in table.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2 and not row[0].startswith("sha256:") and "@" not in row[0]}


def system_images() -> list[archives.Image]:
    """The images that the cluster itself runs, made of binaries that were built and the machine's own busybox."""
    applets = run([str(BUSYBOX), "--list"]).split()
    return [
        archives.Image(PAUSE_IMAGE, {"/pause": binaries.ensure(recipes.PAUSE)}, ["/pause"]),
        archives.Image(
            f"slipway.local/coredns:{recipes.COREDNS_VERSION}",
            {"/coredns": binaries.ensure(recipes.COREDNS)},
            ["/coredns"],
        ),
        archives.Image(
            SHELL_IMAGE,
            {"/bin/busybox": BUSYBOX},
            links={f"/bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
            folders=("/bin", "/etc", "/var"),
        ),
    ]


def load_system_images(holder: int) -> None:
    """Load what the cluster itself needs and lacks."""
    present = loaded(holder)
    with tempfile.TemporaryDirectory(prefix="devcluster-") as folder:
        for image in system_images():
            archive = Path(folder, "image.tar")
            archives.write_archive(image, archive)
            _import(holder, archive, present)


def load(cluster: Cluster, holder: int, source: str) -> list[str]:
    """Load an OCI archive, or an image of buildah's store by name. Returns the names of the images now in the cluster.

    Raises DevclusterError when the source is neither.
    """
    path = Path(source)
    if path.is_file():
        return _import(holder, path.resolve(), loaded(holder))
    if source.endswith((".tar", ".tgz", ".tar.gz")):
        raise DevclusterError(f"there is no file {source}")
    return _load_from_buildah(cluster, holder, source)


def _import(holder: int, archive: Path, present: dict[str, str]) -> list[str]:
    desired = archives.references(archive)
    if any(present.get(name) != digest for name, digest in desired.items()):
        ctr(holder, "images", "import", str(archive))
    return list(desired)


def _load_from_buildah(cluster: Cluster, holder: int, name: str) -> list[str]:
    full_name, digest = find_in_buildah(name)
    if _remembered(cluster).get(full_name) == digest and full_name in loaded(holder):
        return [full_name]
    with saved(full_name) as archive:
        ctr(holder, "images", "import", str(archive))
    remember(cluster, {full_name: digest})
    return [full_name]


@contextlib.contextmanager
def saved(full_name: str) -> Iterator[Path]:
    """An image of buildah's as an archive, until the block ends."""
    scratch = cache_home() / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        archive = Path(folder, "image.tar")
        # The one kind of archive that buildah never compresses: it is read once, on this machine.
        run(["buildah", "push", full_name, f"docker-archive:{archive}:{full_name}"])
        yield archive


def remember(cluster: Cluster, digests: Mapping[str, str]) -> None:
    """Note which images of buildah's a cluster has, by full name and digest."""
    write(cluster.root / _RECORD, json.dumps({**_remembered(cluster), **digests}))


def _remembered(cluster: Cluster) -> dict[str, str]:
    record = cluster.root / _RECORD
    known: dict[str, str] = json.loads(record.read_text()) if record.is_file() else {}
    return known


def find_in_buildah(name: str) -> tuple[str, str]:
    """Full name and digest of an image in buildah's store. Raises DevclusterError when there is none of that name."""
    listed = json.loads(run(["buildah", "images", "--json"]) or "[]")
    match = pick(name, listed)
    if match is None:
        raise DevclusterError(f"{name} is neither a file nor an image of buildah's: see `buildah images`")
    return match


def pick(name: str, listed: Sequence[dict[str, object]]) -> tuple[str, str] | None:
    """The image of that name in the output of `buildah images --json`; "x:1" may be "localhost/x:1" there."""
    for image in listed:
        names = image.get("names") or []
        for candidate in (name, f"localhost/{name}"):
            if isinstance(names, list) and candidate in names:
                return candidate, str(image["digest"])
    return None
