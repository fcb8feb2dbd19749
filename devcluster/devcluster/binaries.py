"""Builds the Go binaries and keeps them in the cache, by version and by a hash of all that they are made from."""

import functools
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path

from devcluster.commands import run
from devcluster.errors import DevclusterError
from devcluster.files import locked
from devcluster.progress import step
from devcluster.recipes import Recipe
from devcluster.settings import cache_home


def go_folder() -> Path:
    """The folder with our Go modules: next to the package in a working copy, inside it once installed."""
    inside = Path(__file__).parent / "go"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "go"


def ldflags(recipe: Recipe) -> str:
    """Linker flags: no symbol tables (a third of the size), and the version that the binary reports."""
    return " ".join(["-s", "-w", *(f"-X {variable}" for variable in recipe.variables)])


def fingerprint(recipe: Recipe, compiler: str, sources: dict[str, bytes]) -> str:
    """Eight hex digits that change with anything that could change the binary.

    `compiler` is Go's version and platform, `sources` the files that are compiled, by name.
    """
    # What is left at its default does not count: a new field of Recipe must not send every binary to the builders.
    said = {item.name: value for item in fields(recipe) if (value := getattr(recipe, item.name)) != item.default}
    digest = hashlib.sha256(repr((said, compiler)).encode())
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    return digest.hexdigest()[:8]


def sources_of(recipe: Recipe) -> dict[str, bytes]:
    """The Go files of a local module with its module and checksum files; empty for what comes from the proxy."""
    if not recipe.folder:
        return {}
    folder = go_folder() / recipe.folder
    names = [path.name for path in folder.glob("*.go")] + [recipe.modfile, recipe.modfile.replace(".mod", ".sum")]
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


@functools.cache
def toolchain() -> str:
    """Go's version and the platform it builds for."""
    return run(["go", "env", "GOVERSION", "GOOS", "GOARCH"])


def home(recipe: Recipe) -> Path:
    """The folder that holds (or will hold) the binary and its links."""
    hashed = fingerprint(recipe, toolchain(), sources_of(recipe))
    return cache_home() / "bin" / recipe.name / f"{recipe.version}-{hashed}"


def build_command(recipe: Recipe, output: Path) -> list[str]:
    """The `go` command line that puts the binary into the folder `output`."""
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", ldflags(recipe)]
    if recipe.tags:
        flags += ["-tags", ",".join(recipe.tags)]
    if recipe.package:
        return ["go", "install", *flags, f"{recipe.package}@v{recipe.version}"]
    module = ["-C", str(go_folder() / recipe.folder)]
    return ["go", "build", *module, "-modfile", recipe.modfile, *flags, "-o", str(output / recipe.name), "."]


def ensure(recipe: Recipe) -> Path:
    """Path of the built binary; builds it if the cache lacks it. Raises DevclusterError when Go cannot."""
    folder = home(recipe)
    binary = folder / recipe.name
    if binary.is_file():
        return binary
    with locked(folder.parent / ".lock", f"building {recipe.name}"):
        if not binary.is_file():
            with step(f"building {recipe.name} {recipe.version} from Go modules"):
                _build(recipe, folder)
    return binary


def _build(recipe: Recipe, folder: Path) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        env = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(temporary)}
        run(build_command(recipe, temporary), env=env)
        if not (temporary / recipe.name).is_file():
            raise DevclusterError(f"go built no {recipe.name}: is {recipe.package or recipe.folder} a command?")
        if recipe.documents:
            (temporary / f"{recipe.name}.yaml").write_text(_documents(recipe))
        for link in recipe.links:
            (temporary / link).symlink_to(recipe.name)
        temporary.chmod(0o755)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _documents(recipe: Recipe) -> str:
    downloaded = json.loads(run(["go", "mod", "download", "-json", f"{recipe.module}@v{recipe.version}"]))
    return "---\n".join((Path(downloaded["Dir"]) / name).read_text() for name in recipe.documents)
