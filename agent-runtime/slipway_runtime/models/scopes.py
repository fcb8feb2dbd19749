"""Which step the current code belongs to, and what agents of pydantic-ai have done in a run so far.

Keys of steps must be the same in every attempt, so what runs at the same time is told apart by scopes and not by
counting what comes first.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter

from slipway_runtime.events import Delta
from slipway_runtime.run import Emit, Run

NOT_HASHED = frozenset(("timestamp", "run_id", "conversation_id"))
"""Fields of messages that differ from attempt to attempt."""
Channel = Literal["answer", "reasoning"]


class TextSink:
    """Where the text of a model request goes while it is streamed. This one emits each piece as it comes."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit

    async def text(self, piece: str, channel: Channel) -> None:
        """Take the next piece."""
        self.emit(Delta(text=piece, channel=channel) if channel != "answer" else Delta(text=piece))

    def void(self) -> None:
        """All pieces so far are void: another model begins anew."""

    async def end(self) -> None:
        """The request is answered."""


@dataclass
class Scope:
    """What is counted for the agents that run in one scope of a run, apart from each other by name."""

    run: Run
    name: str
    requests: Counter[str] = field(default_factory=Counter)
    """Model requests so far, by agent."""
    runs: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    """Steps of other kinds, by what their key begins with."""
    chains: dict[str, "MessageChain"] = field(default_factory=dict)
    spoke: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By agent: the pydantic-ai run and the step whose text stands as its answer so far."""

    def key(self, *parts: object) -> str:
        """A step's key."""
        return "/".join(str(part) for part in (self.name, *parts) if part != "")


@dataclass(frozen=True)
class Unit:
    """The step that the current code is the body of."""

    run: Run
    key: str
    emit: Emit
    sink: TextSink | None = None


SCOPES: ContextVar["Scopes | None"] = ContextVar("slipway_scopes", default=None)
UNIT: ContextVar[Unit | None] = ContextVar("slipway_unit", default=None)


@dataclass
class Scopes:
    """The scopes of a run, as the current code sees them."""

    run: Run
    named: str
    """The scope that `within` named."""
    scopes: dict[str, Scope]
    """By name; all code of the attempt shares them."""

    def current(self) -> Scope:
        """The scope of the current code."""
        name = "/".join(part for part in (self.named, _graph_task()) if part)
        if name not in self.scopes:
            self.scopes[name] = Scope(self.run, name)
        return self.scopes[name]


@contextmanager
def within(run: Run, scope: str = "") -> Iterator[None]:
    """Make the agents that run in the block, in this task or those that it starts, work in steps of `run`.

    Args:
        scope: set apart agents of one name that run at the same time. A node of a LangGraph is a scope by itself.
    """
    outer = SCOPES.get()
    named = "/".join(part for part in (outer.named if outer is not None and outer.run is run else "", scope) if part)
    token = SCOPES.set(Scopes(run, named, run.notes.setdefault("scopes", {})))
    try:
        yield
    finally:
        SCOPES.reset(token)


def current_unit() -> Unit | None:
    """The step that the caller is part of: a tool finds its run, key and `emit` here."""
    return UNIT.get()


def _graph_task() -> str:
    """Which task of a LangGraph this is, in words that are the same in every attempt; empty outside of a graph."""
    if "langgraph.config" not in sys.modules:
        return ""
    from langgraph.config import get_config

    try:
        metadata = get_config().get("metadata") or {}
    except RuntimeError:
        return ""
    if "langgraph_node" not in metadata:
        return ""
    path = [str(part) for part in metadata.get("langgraph_path", ())[1:] if not isinstance(part, bool)]
    place = "" if path == [metadata["langgraph_node"]] else f"@{'.'.join(path)}"
    return f"{metadata['langgraph_step']}.{metadata['langgraph_node']}{place}"


@dataclass
class MessageChain:
    """A digest of a growing list of messages, made from the one before and what is new."""

    messages: list[ModelMessage] = field(default_factory=list)
    digest: str = ""

    def extended(self, messages: Sequence[ModelMessage]) -> str:
        """The digest of `messages`."""
        known = len(self.messages)
        if any(one is not other for one, other in zip(self.messages, messages, strict=False)) or len(messages) < known:
            known, self.digest = 0, ""
        for message in messages[known:]:
            dumped = _stripped(ModelMessagesTypeAdapter.dump_python([message], mode="json"))
            new = orjson.dumps([self.digest, dumped], option=orjson.OPT_SORT_KEYS)
            self.digest = hashlib.sha256(new).hexdigest()
        self.messages = list(messages)
        return self.digest


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(each) for key, each in value.items() if key not in NOT_HASHED}
    return [_stripped(each) for each in value] if isinstance(value, list) else value
