"""A real EventSource client, npm's `eventsource`, which follows a URL until the server tells it to stop.

Needs Node.js with npm. Its lock file is in `eventsource/`.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.npm import installed

FOLDER = Path(__file__).parent / "eventsource"


async def follow(url: str, *, deadline: float = 60.0) -> list[dict[str, Any]]:
    """What the client saw until it stopped: `{status, from}` a connection, `{event, id}` an event, `{stopped}`.

    Raises:
        TimeoutError: if it goes on connecting.
    """
    home = await asyncio.to_thread(installed, FOLDER)
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
