"""The way of an event from an agent to a client: queued, committed, and only then seen.

Commits are grouped: while one is under way events queue up, and the next one takes all of them. If nobody streams the
run, the queue is also left to fill for a moment, so that a short answer is one commit.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence

from slipway_runtime import retrying
from slipway_runtime.events import Delta, Event, EventId, InputRequired, Json, NumberedEvent, ends
from slipway_runtime.host.metrics import COMMIT_SECONDS, STORE_FAILURES
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.leases import Lease
from slipway_runtime.store.runs import append
from slipway_runtime.store.steps import StepRecord
from slipway_runtime.telemetry.tracing import span

Entry = Event | StepRecord
UNWATCHED_BATCH_SECONDS = 0.1
"""How long events may wait for company if no client streams them."""
STARTED_BATCH_SECONDS = 0.01
"""The same for the start of a step that costs money: were it not stored, a repetition would not be known for one."""
log = logging.getLogger(__name__)


def stops(event: Event) -> bool:
    """Whether an attempt ends with it: the run is over, or it waits for an input."""
    return ends(event) or isinstance(event, InputRequired)


class RunLog:
    """The events of one attempt in this process: written by an agent, committed by `record`, followed by clients.

    It is the `Journal` of the attempt's steps: their records are committed in their order among the events.

    Args:
        finished: called when the attempt's last event is committed, just before anybody sees it.
    """

    def __init__(self, lease: Lease, finished: Callable[[], None]) -> None:
        self.lease = lease
        self.ended = False
        """No more events come from here. If the last one is not terminal, the run waits, or goes on elsewhere."""
        self._finished = finished
        self._queue: list[Entry] = []
        self._stored = 0
        """How many entries are in the store."""
        self._under_way = 0
        """How many entries were taken to be stored."""
        self._complete = False
        """Whether the attempt's last event is queued, after which nothing is taken any more."""
        self._committed: list[NumberedEvent] = []
        self._watchers = 0
        self._followers = 0
        self.left_since: float | None = time.monotonic()
        """Since when nobody follows, by the monotonic clock; None while somebody does."""
        self._some = asyncio.Event()
        self._due = asyncio.Event()
        self._news = asyncio.Event()

    def put(self, *entries: Entry) -> None:
        """See `Journal`."""
        if self._complete:  # a step that goes on in the background has nothing to say any more
            return
        self._queue += entries
        self._some.set()
        self._complete = any(isinstance(entry, Event) and stops(entry) for entry in entries)
        if self._watchers or self._complete:
            self._due.set()
        elif any(isinstance(entry, StepRecord) and entry.state == "started" for entry in entries):
            asyncio.get_running_loop().call_later(STARTED_BATCH_SECONDS, self._due.set)

    async def stored(self) -> None:
        """See `Journal`."""
        wanted = self._stored + len(self._queue) + self._under_way
        self._due.set()
        while self._stored < wanted:
            await self._news.wait()

    async def take(self) -> list[Entry]:
        """Everything that is queued, once there is something and it is time to commit it."""
        await self._some.wait()
        if not self._due.is_set():
            try:
                async with asyncio.timeout(UNWATCHED_BATCH_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                pass
        queue, self._queue = self._queue, []
        self._under_way = len(queue)
        self._some.clear()
        self._due.clear()
        return queue

    def commit(self, entries: Sequence[Entry], written: Sequence[Json]) -> None:
        """Show the events among entries, which are in the store now as `written`, to those who follow."""
        run_id, attempt = self.lease.run_id, self.lease.attempt
        events = [entry for entry in entries if isinstance(entry, Event)]
        for seq, (event, json) in enumerate(zip(events, written, strict=True), start=self.next_seq):
            self._committed.append(NumberedEvent(EventId(run_id, attempt, seq), event, json))
        self._stored += len(entries)
        self._under_way -= len(entries)
        if self.last_event:
            self._finished()
        self._wake()

    def end(self) -> None:
        """Let those who follow go."""
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @property
    def next_number(self) -> int:
        """Number of the next row to commit."""
        return self._stored + 1

    @property
    def next_seq(self) -> int:
        """Number of the next event to commit."""
        return len(self._committed) + 1

    @property
    def last_event(self) -> Event | None:
        """The event that the attempt ended with, once it is committed."""
        last = self._committed[-1].event if self._committed else None
        return last if last is not None and stops(last) else None

    @property
    def outcome(self) -> Event | None:
        """The event that ended the run, once it is committed."""
        last = self.last_event
        return last if last is not None and ends(last) else None

    async def follow(self, after: EventId | None, *, watch: bool) -> AsyncGenerator[NumberedEvent]:
        """Committed events after `after`, as they come, until the log ends.

        Args:
            watch: whether someone wants to see each event as soon as it is there, so that commits do not wait.
        """
        attempt = self.lease.attempt
        position = after.seq if after and after.attempt == attempt else 0
        self._watchers += watch
        self._followers += 1
        self.left_since = None
        if watch and self._queue:
            self._due.set()
        try:
            while True:
                news = self._news
                while position < len(self._committed):
                    position += 1
                    yield self._committed[position - 1]
                if self.ended and position >= len(self._committed):
                    return
                await news.wait()
        finally:
            self._watchers -= watch
            self._followers -= 1
            if not self._followers:
                self.left_since = time.monotonic()


async def record(database: Database, run_log: RunLog, *, patience: float, delta_delay: float = 0.0) -> None:
    """Commit what is queued, until the attempt's last event is in the store.

    Args:
        patience: seconds to go on trying while the store is unavailable.
        delta_delay: seconds to wait before each piece of text, each of which is committed by itself then; for tests.

    Raises:
        LeaseLost: if the run is not ours any more.
        StoreUnavailable: if the store stayed unavailable for too long.
    """
    while run_log.last_event is None:
        entries = await run_log.take()
        if not delta_delay:
            await _store(database, run_log, entries, patience=patience)
            continue
        for piece in _pieces(entries):
            await asyncio.sleep(delta_delay if isinstance(piece[0], Delta) else 0)
            await _store(database, run_log, piece, patience=patience)


def _pieces(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries in groups, so that each piece of text begins one."""
    pieces: list[list[Entry]] = []
    for entry in entries:
        if not pieces or isinstance(entry, Delta):
            pieces.append([])
        pieces[-1].append(entry)
    return pieces


async def _store(database: Database, run_log: RunLog, entries: Sequence[Entry], *, patience: float) -> None:
    began = time.perf_counter()
    events = [entry for entry in entries if isinstance(entry, Event)]
    written = [event.to_json() for event in events]  # once, for the store and for all who follow
    with span("store events", attributes={"slipway.events": len(entries)}):
        await _commit(database, run_log, entries, events, written, patience=patience)
    COMMIT_SECONDS.observe(time.perf_counter() - began)
    run_log.commit(entries, written)


async def _commit(
    database: Database,
    run_log: RunLog,
    entries: Sequence[Entry],
    events: Sequence[Event],
    written: Sequence[Json],
    *,
    patience: float,
) -> None:
    steps = [entry for entry in entries if isinstance(entry, StepRecord)]
    seq, number = run_log.next_seq, run_log.next_number
    warned = False

    def failed(_: BaseException) -> None:
        nonlocal warned
        STORE_FAILURES.inc()
        if not warned:
            log.warning("the store is unavailable; the events of a run wait", extra={"run": run_log.lease.run_id})
            warned = True

    await retrying.retry(
        lambda: append(database, run_log.lease, seq, events, steps=steps, number=number, written=written),
        policy=retrying.COMMIT,
        on=lambda error: isinstance(error, StoreUnavailable),
        seconds=patience,
        failed=failed,
    )
