"""An agent that does what the A2A test kit asks for by the id of its messages (its `scenarios/*.feature`)."""

import asyncio
import base64
from collections.abc import Sequence

from slipway_runtime.events import Artifact, Delta, Done
from slipway_runtime.protocols.a2a.messages import ABOUT
from slipway_runtime.run import Emit, Run

HELLO = "Hello from TCK"
ASKS_AGAIN = "TCK history message"
"""Messages with this text leave the task waiting."""
FILE = Artifact(id="1", name="output.txt", media_type="text/plain", data=base64.b64encode(b"file content").decode())
LINK = Artifact(id="1", name="output.txt", media_type="text/plain", url="https://example.com/output.txt")
SAID: dict[str, Sequence[str]] = {
    "tck-artifact-text": ["Generated text content"],
    "tck-stream-001": ["Stream hello from TCK"],
    "tck-stream-003": ["Stream task lifecycle"],
    "tck-stream-ordering-001": ["Ordered output"],
    "tck-stream-artifact-text": ["Streamed text content"],
    "tck-stream-artifact-chunked": ["chunk-1 ", "chunk-2"],
    "tck-message-response": ["Direct message response"],
    "tck-artifact-file": [],
    "tck-artifact-data": [],
    "tck-stream-artifact-file": [],
}
RESUBSCRIBED_SECONDS = 10.0


class TckAgent:
    """See the module."""

    honours = frozenset(("data", "image"))

    async def run(self, run: Run) -> Done:
        message = str((run.request.metadata or {}).get(ABOUT, {}).get("message", ""))
        if message.startswith("tck-input-required"):
            await self._inputs(run)
        pieces = next((said for prefix, said in SAID.items() if message.startswith(prefix)), [HELLO])
        file = LINK if "file-url" in message else FILE if "artifact-file" in message else None

        async def say(emit: Emit) -> None:
            if message.startswith("test-resubscribe"):
                await asyncio.sleep(RESUBSCRIBED_SECONDS)
            for piece in pieces:
                emit(Delta(text=piece))
            if file is not None:
                emit(file)

        await run.step("answer", say)
        output = {"key": "value", "count": 42} if "artifact-data" in message else None
        done = Done(answer="".join(pieces), finish="stop", sources=(), output=output)
        return done.model_copy(update={"as_message": True}) if "message-response" in message else done

    async def _inputs(self, run: Run) -> None:
        number, text = 0, ASKS_AGAIN
        while ASKS_AGAIN in text:
            number += 1
            answer = await run.ask(f"input-{number}", "form", prompt="What else?")
            text = str((answer.answer or {}).get("text"))

    async def missing(self) -> list[str]:
        return []
