"""Clients from npm, for tests that need a real one. Needs Node.js with npm."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

LOCKED = ("package.json", "package-lock.json", ".npmrc")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slipway"


def installed(folder: Path) -> Path:
    """Where the packages of a folder's lock file are, in `node_modules`. They are installed once into the cache."""
    lock = (folder / "package-lock.json").read_bytes()
    cache = CACHE / folder.name
    home = cache / hashlib.sha256(lock).hexdigest()[:8]
    home.mkdir(parents=True, exist_ok=True)
    done = home / "installed"
    with FileLock(cache / "lock"):
        if not done.is_file():
            for name in LOCKED:
                shutil.copy(folder / name, home)
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=home, check=True, capture_output=True)
            done.touch()
    return home


async def output_of(
    folder: Path, script: str, *arguments: str, seconds: float, environment: Mapping[str, str] | None = None
) -> bytes:
    """What a script of a folder printed. Its first argument is where the folder's packages are.

    Raises:
        TimeoutError: if it does not end in time.
    """
    home = await asyncio.to_thread(installed, folder)
    command: list[str | Path] = ["node", folder / script, home / "node_modules", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **(environment or {})}
    )
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return out
