"""The messages of an AG-UI thread as the client has them, so that a snapshot can show what remains of them.

Text of a step may become void after it was sent. No event of the protocol takes text back, so the client gets a
snapshot of all messages then.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import orjson

from slipway_runtime.events import Json


@dataclass
class Call:
    """A call of a tool."""

    step: str
    id: str
    name: str
    args: str


@dataclass
class Said:
    """A message that was sent in this run."""

    id: str
    role: str
    """`assistant`, `reasoning` or `tool`."""
    pieces: list[tuple[str, str]] = field(default_factory=list)
    """Step and text."""
    calls: list[Call] = field(default_factory=list)
    answers: str | None = None
    """Of a tool's message: the call."""

    def without(self, steps: Collection[str]) -> "Said | None":
        """What remains of it; None if nothing does."""
        pieces = [(step, text) for step, text in self.pieces if step not in steps]
        calls = [call for call in self.calls if call.step not in steps]
        return Said(self.id, self.role, pieces, calls, self.answers) if pieces or calls else None

    def to_json(self) -> Json:
        """As AG-UI has it."""
        text = "".join(text for _, text in self.pieces)
        if self.answers is not None:
            return {"id": self.id, "role": "tool", "content": text, "toolCallId": self.answers}
        message: dict[str, object] = {"id": self.id, "role": self.role}
        if text or self.role == "reasoning":
            message["content"] = text
        if self.calls:
            message["toolCalls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.args}}
                for call in self.calls
            ]
        return message


class Thread:
    """What the client has.

    Args:
        before: the messages that it sent.
        key: with which the ids of this run's messages begin.
        former: how many messages of this run it had before.
    """

    def __init__(self, before: Sequence[Json], *, key: str, former: int) -> None:
        self._before = before
        self._key = key
        self._number = former
        self._said: list[Said] = []

    def begin(self, role: str, *, answers: str | None = None) -> Said:
        """A new message."""
        self._number += 1
        said = Said(f"{self._key}-{self._number}", role, answers=answers)
        self._said.append(said)
        return said

    def void(self, steps: Collection[str]) -> bool:
        """Take back what these steps said. Whether they said anything."""
        kept = [said.without(steps) for said in self._said]
        changed = any(before != after for before, after in zip(self._said, kept, strict=True))
        self._said = [said for said in kept if said is not None]
        return changed

    def messages(self) -> list[Json]:
        """All messages, in their order."""
        return [*self._before, *(said.to_json() for said in self._said)]


def arguments(args: Json | None) -> str:
    """Of a call, as a text."""
    return "" if args is None else orjson.dumps(args).decode()
