"""The bindings are installed once, read for all providers, and removed: the schemas do without them and without npm."""

import base64
import json
import os
from pathlib import Path

import pytest

from tfreplay import bindings
from tfreplay.errors import ReplayError
from tfreplay.providers import Provider

RANDOM, TIME = Provider("random", "acme/random"), Provider("time", "acme/time")
BINDING = (Path(__file__).parent / "binding.ts").read_text()
NPM = """#!/bin/sh
echo "$*" >> "{calls}"
for name in random time; do
  mkdir -p "node_modules/@cdktf/provider-$name/lib/widget"
  cp "{binding}" "node_modules/@cdktf/provider-$name/lib/widget/index.js"
done
exit {status}
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and two providers to read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(bindings, "PROVIDERS", (RANDOM, TIME))
    return tmp_path / "cache" / "slipway" / "tfreplay"


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm that installs two small bindings. The file of its calls."""
    calls, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    (folder / "npm").write_text(NPM.format(calls=calls, binding=published(tmp_path), status=0))
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return calls


def published(folder: Path) -> Path:
    """The binding as npm has it: JavaScript with the TypeScript in its source map."""
    source_map = base64.b64encode(json.dumps({"sourcesContent": [BINDING]}).encode()).decode()
    path = folder / "published.js"
    path.write_text(f"code();\n//# sourceMappingURL=data:application/json;base64,{source_map}")
    return path


def test_only_the_schemas_are_kept(cache: Path, npm: Path) -> None:
    assert "acme_widget" in bindings.load(RANDOM)["resource_schemas"]
    kept = [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
    assert sorted(path.name.partition("-")[0] for path in kept) == ["random", "time"]
    assert not list(cache.rglob("node_modules"))


def test_the_second_provider_and_the_second_run_need_no_npm(
    cache: Path, npm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bindings.load(RANDOM)
    monkeypatch.setenv("PATH", "")
    assert "acme_widget" in bindings.load(TIME)["resource_schemas"]
    assert "acme_widget" in bindings.load(RANDOM)["resource_schemas"]
    assert len(npm.read_text().splitlines()) == 1


def test_without_npm_the_user_is_told_what_to_install(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ReplayError, match=r"install Node\.js"):
        bindings.load(RANDOM)


def test_a_failed_installation_leaves_nothing_behind(cache: Path, npm: Path) -> None:
    program = npm.parent / "bin" / "npm"
    program.write_text(program.read_text().replace("exit 0", "echo refused >&2\nexit 1"))
    with pytest.raises(ReplayError, match=r"is a registry reachable\?\nrefused"):
        bindings.load(RANDOM)
    assert not list(cache.rglob("node_modules"))
