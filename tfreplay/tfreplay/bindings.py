"""Turns the providers' npm bindings into schema files in the user's cache, once for each version.

One file a provider, in the shape of `terraform providers schema -json`, so that any other tool can read it too.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from devcluster.progress import step
from tfreplay.errors import ReplayError
from tfreplay.providers import PROVIDERS, Provider, cache_home
from tfreplay.schema import schema
from tfreplay.typescript import binding, source

Json = dict[str, Any]

LOCKED = ("package.json", "package-lock.json", ".npmrc")
_CODE = ("typescript.py", "schema.py")


def folder() -> Path:
    """Where the npm lock file is: next to the package in a working copy, inside it once installed."""
    inside = Path(__file__).parent / "bindings"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "bindings"


def by_hand(name: str) -> Path:
    """The schema of a provider that has no binding."""
    return Path(__file__).parent / "schemas" / f"{name}.json"


def load(provider: Provider) -> Json:
    """The provider's schema: `provider`, `resource_schemas`, `data_source_schemas`.

    Installs the bindings and reads them if the cache lacks the schema. Raises ReplayError when npm cannot install.
    """
    path = by_hand(provider.name) if provider.by_hand else _cached(provider)
    dump: Json = json.loads(path.read_bytes())
    (found,) = dump["provider_schemas"].values()
    return dict(found)


def _cached(provider: Provider) -> Path:
    path = _file(provider)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_home() / "bindings.lock"):
            if not path.is_file():
                _read_all()
    return path


def _file(provider: Provider) -> Path:
    version = json.loads((folder() / "package.json").read_bytes())["dependencies"][f"@cdktf/provider-{provider.name}"]
    return cache_home() / "schemas" / f"{provider.name}-{version}-{_code_hash()}.json"


def _read_all() -> None:
    """Write every schema that the cache lacks: all at once, for the bindings take a hundred times as much and go."""
    lacking = [each for each in PROVIDERS if not each.by_hand and not _file(each).is_file()]
    with _installed() as packages:
        for each in lacking:
            _write(_file(each), each, packages / f"provider-{each.name}" / "lib")


def _code_hash() -> str:
    """Changes with the code that reads the bindings: a schema of yesterday's code must not be served."""
    texts = [(Path(__file__).parent / name).read_bytes() for name in _CODE]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:8]


def _write(path: Path, provider: Provider, lib: Path) -> None:
    with step(f"reading the schema of {provider.source} from its npm binding"):
        found = read(lib, provider)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({"format_version": "1.0", "provider_schemas": {provider.address: found}}))
    temporary.replace(path)


def read(lib: Path, provider: Provider) -> Json:
    """The schemas in a binding's folder `lib`, which has one folder a resource. Raises ReplayError without any."""
    found: Json = {"provider": {"version": 0, "block": {}}, "resource_schemas": {}, "data_source_schemas": {}}
    for each in sorted(path for path in lib.iterdir() if path.is_dir()):
        text = "\n".join(source(file.read_text()) for file in sorted(each.rglob("*.js")))
        bound = binding(text)
        built = schema(bound, provider.nested_attributes)
        if bound.kind == "provider":
            found["provider"] = built
        else:
            found["data_source_schemas" if bound.kind == "data" else "resource_schemas"][bound.type] = built
    if not found["resource_schemas"]:
        raise ReplayError(f"{lib} holds no resource: is it a binding that this version of tfreplay can read?")
    return found


@contextmanager
def _installed() -> Iterator[Path]:
    """The folder `node_modules/@cdktf` with the bindings of the lock file, for as long as they are read."""
    if not shutil.which("npm"):
        raise ReplayError("the providers' schemas come from npm packages: install Node.js (npm), then run this again")
    home = cache_home() / "bindings"
    shutil.rmtree(home, ignore_errors=True)  # what a run that was killed has left
    home.mkdir()
    try:
        for name in LOCKED:
            shutil.copy(folder() / name, home)
        with step("installing the providers' npm bindings (1.1 GB, removed when their schemas are read, once)"):
            _install(home)
        yield home / "node_modules" / "@cdktf"
    finally:
        shutil.rmtree(home)


def _install(home: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReplayError(f"npm could not install the providers' bindings; is a registry reachable?\n{done.stderr}")
