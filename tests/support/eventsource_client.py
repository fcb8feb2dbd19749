"""A real EventSource client, npm's `eventsource`, which follows a URL until the server tells it to stop.

Needs Node.js with npm. The client is installed once into the user's cache, from the lock file in `eventsource/`.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from filelock import FileLock

FOLDER = Path(__file__).parent / "eventsource"
LOCKED = ("package.json", "package-lock.json", ".npmrc")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slipway" / "eventsource"


def installed() -> Path:
    """The folder that has the client's `node_modules`."""
    lock = (FOLDER / "package-lock.json").read_bytes()
    home = CACHE / hashlib.sha256(lock).hexdigest()[:8]
    home.mkdir(parents=True, exist_ok=True)
    done = home / "installed"
    with FileLock(CACHE / "lock"):
        if not done.is_file():
            for name in LOCKED:
                shutil.copy(FOLDER / name, home)
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=home, check=True, capture_output=True)
            done.touch()
    return home


async def follow(url: str, *, deadline: float = 60.0) -> list[dict[str, Any]]:
    """What the client saw until it stopped: `{status, from}` a connection, `{event, id}` an event, `{stopped}`.

    Raises:
        TimeoutError: if it goes on connecting.
    """
    home = await asyncio.to_thread(installed)
    process = await asyncio.create_subprocess_exec(
        "node", FOLDER / "client.mjs", home / "node_modules", url, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(deadline):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [json.loads(line) for line in out.splitlines()]
