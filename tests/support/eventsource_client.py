"""A real EventSource client, npm's `eventsource`, which follows a URL until the server tells it to stop.

Needs Node.js with npm. Its lock file is in `eventsource/`.
"""

import json
from pathlib import Path
from typing import Any

from tests.support import npm

FOLDER = Path(__file__).parent / "eventsource"


async def follow(url: str, *, deadline: float = 60.0) -> list[dict[str, Any]]:
    """What the client saw until it stopped: `{status, from}` a connection, `{event, id}` an event, `{stopped}`.

    Raises:
        TimeoutError: if it goes on connecting.
    """
    out = await npm.output_of(FOLDER, "client.mjs", url, seconds=deadline)
    return [json.loads(line) for line in out.splitlines()]
