"""Attempts of one run without a host, for tests of agents and their steps."""

from typing import Any

import orjson

from slipway_runtime.agents.steps import MemoryJournal, StepRun
from slipway_runtime.run import AgentRequest
from slipway_runtime.store.database import Row
from slipway_runtime.store.steps import Replay, StepRecord, dump_records, replay


class Attempts:
    """Attempts of one run, each of which finds what those before it left."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.attempt = 0
        self.journal = MemoryJournal()

    def start(self, *, fresh_from: int = 1, **options: Any) -> StepRun:
        """The next attempt; the one before died after its last entry."""
        self.die()
        self.attempt += 1
        return StepRun(AgentRequest("?"), self.journal, replay=self.left(fresh_from), **options)

    def die(self) -> None:
        events = [event.to_json() for event in self.journal.events]
        steps = [entry for entry in self.journal.entries if isinstance(entry, StepRecord)]
        row: Row = {"attempt": self.attempt, "batch": orjson.dumps(events).decode(), "steps": dump_records(steps)}
        self.rows.append(row)
        self.journal = MemoryJournal()

    def left(self, fresh_from: int = 1) -> Replay:
        return replay(self.rows, fresh_from=fresh_from)
