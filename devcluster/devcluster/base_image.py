"""The image that the project's own images are built on: a minimal Debian with Python, from the machine's own mirror.

There is no registry to pull a base image from, but there is a Debian mirror wherever this tool can run, because it
needs Debian packages itself. Security updates are taken from where the machine takes its own; they are as new as the
image: `devcluster base-image --rebuild` takes today's.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from devcluster import images
from devcluster.commands import run
from devcluster.errors import DevclusterError
from devcluster.files import locked
from devcluster.progress import say, step
from devcluster.settings import cache_home

NAME = "slipway.local/base:12"
SUITE = "bookworm"
UPDATES = (f"{SUITE}-updates", f"{SUITE}-security")
PACKAGES = ("python3", "python3-venv", "ca-certificates")
MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr"
"""Makes /bin a link to /usr/bin and so on from the first; doing it later would need all of Perl in the image."""
RECIPE_LABEL = "dev.slipway.devcluster.recipe"
"""Label of the image with the recipe it was made by, so that a changed recipe makes a new one."""
DISPENSABLE = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache/apt",
)
"""Folders whose content no container needs."""


def ensure(*, rebuild: bool = False) -> str:
    """Name of the image, built into buildah's store unless it is there. Raises DevclusterError when it cannot be."""
    if not rebuild and _recipe_in_store() == recipe():
        return NAME
    scratch = cache_home() / "scratch"
    with locked(scratch / ".base-image.lock", "building the base image"):
        tree = Path(tempfile.mkdtemp(dir=scratch))
        try:
            _bootstrap(tree / "root")
            _commit(tree / "root", tree / "root.tar")
        finally:
            shutil.rmtree(tree)
    return NAME


def recipe() -> str:
    """What the image is made by, in one line."""
    return f"{SUITE} {' '.join(UPDATES)}: {' '.join(PACKAGES)}, without {' '.join(DISPENSABLE)}"


def _recipe_in_store() -> str | None:
    listed = json.loads(run(["buildah", "images", "--json"]) or "[]")
    if not images.pick(NAME, listed):
        return None
    label = f'{{{{index .OCIv1.Config.Labels "{RECIPE_LABEL}"}}}}'
    return run(["buildah", "inspect", "--type", "image", "--format", label, NAME]).strip()


def sources() -> list[str]:
    """What this machine's apt is set to for the suite and its updates. Raises DevclusterError without the suite."""
    return pick_sources(
        run(["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages", "Component: main"])
    )


def pick_sources(targets: str) -> list[str]:
    """Lines for sources.list, one a suite, from apt's sites and suites, one a line."""
    sites: dict[str, str] = {}
    for line in targets.splitlines():
        site, _, suite = line.strip().partition(" ")
        sites.setdefault(suite, site)
    if SUITE not in sites:
        raise DevclusterError(
            f"apt on this machine has no source for Debian {SUITE}: add one to /etc/apt and run apt-get update"
        )
    if UPDATES[-1] not in sites:
        say(f"apt on this machine has no source for {UPDATES[-1]}: the base image is made without security updates")
    return [f"deb {sites[suite]} {suite} main" for suite in (SUITE, *UPDATES) if suite in sites]


def proxy_environment() -> dict[str, str]:
    """The environment for mmdebstrap, which does not read apt's settings: apt's proxy, if it has one."""
    proxy = run(["apt-config", "shell", "PROXY", "Acquire::http::Proxy"]).strip().removeprefix("PROXY=").strip("'")
    return {**os.environ, **({"http_proxy": proxy} if proxy else {})}


def _bootstrap(root: Path) -> None:
    with step(f"making a Debian {SUITE} tree with mmdebstrap"):
        include = f"--include={','.join(('usr-is-merged', *PACKAGES))}"
        options = ["--variant=minbase", f"--hook-dir={MERGED_USR}", include]
        run(["mmdebstrap", *options, SUITE, str(root), *sources()], env=proxy_environment())
    for name in DISPENSABLE:
        folder = root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)


def _commit(root: Path, archive: Path) -> None:
    """Through an archive, because `buildah add` of a folder would not keep the files' owners."""
    env = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    with step(f"committing {NAME}"):
        run(["tar", "--create", "--file", str(archive), "--numeric-owner", "--directory", str(root), "."])
        container = run(["buildah", "from", "scratch"], env=env).strip()
        try:
            run(["buildah", "add", "--quiet", container, str(archive), "/"], env=env)
            path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            label = ["--label", f"{RECIPE_LABEL}={recipe()}"]
            settings = ["--env", path, "--env", "LANG=C.UTF-8", "--cmd", "python3", *label]
            run(["buildah", "config", *settings, container], env=env)
            run(["buildah", "commit", "--quiet", container, NAME], env=env)
        finally:
            run(["buildah", "rm", container], env=env)
