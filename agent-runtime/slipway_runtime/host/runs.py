"""The runs of this host: beginning them, following them, and taking them over from hosts that died."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from slipway_runtime import retrying
from slipway_runtime.events import EventId, NumberedEvent
from slipway_runtime.host.admission import Admission, Slot
from slipway_runtime.host.attempt import Attempt
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lease import LEASE_SECONDS, Heartbeat
from slipway_runtime.host.metrics import SHED, TAKEOVERS
from slipway_runtime.host.new_run import NewRun
from slipway_runtime.host.recorder import RunLog
from slipway_runtime.host.refusals import (
    draining,
    other_question,
    overloaded,
    run_not_found,
    session_busy,
    session_full,
    session_not_found,
    store_unavailable,
)
from slipway_runtime.host.unfollowed import cancel_when_left
from slipway_runtime.store import inputs, leases, named_sessions
from slipway_runtime.store import runs as store
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.followers import note_follower
from slipway_runtime.store.leases import Work
from slipway_runtime.store.looks import Look, look
from slipway_runtime.store.orphans import ServedRevision, orphans, say_ready
from slipway_runtime.store.session_stores import SessionStore, StoredSessions
from slipway_runtime.store.sessions import SessionBusy, SessionFull, SessionNotFound, busy
from slipway_runtime.telemetry.tracing import span

POLL_SECONDS = 0.1
"""How often a run that another host works on is looked at."""
FOLLOWED_SECONDS = 15.0
"""How often it is written down that somebody follows a run here that another host works on."""
WAITING_POLL_SECONDS = 1.0
"""How often a run that waits for an input is looked at."""
UNAVAILABLE_SECONDS = 60.0
"""How long a client that follows a run is kept while the store is unavailable."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Active:
    """A run that this process works on."""

    work: Work
    run_log: RunLog
    task: asyncio.Task[None]


class Runs:
    """The runs of this process.

    Args:
        owner: names this process among all hosts, and among its own earlier lives.
        agents: what is served, by `namespace/name`. Assign to the attribute to serve others; runs go on as they began.
        can_answer: whether nothing is missing for an agent; without that no run of it is taken over.
        delta_delay: seconds to wait before each piece of an answer; for tests.
    """

    def __init__(
        self,
        database: Database,
        *,
        owner: str,
        agents: Mapping[str, HostedAgent],
        can_answer: Callable[[str], Awaitable[bool]],
        delta_delay: float = 0.0,
    ) -> None:
        self.agents = agents
        self.draining = False
        self.heartbeat = Heartbeat(database, lambda: [active.work.lease for active in self._active.values()], self.stop)
        self._database = database
        self._sessions = StoredSessions(database)
        self._owner = owner
        self._can_answer = can_answer
        self._delta_delay = delta_delay
        self._admission = Admission()
        self._active: dict[str, Active] = {}
        self._claiming: dict[str, asyncio.Event] = {}

    @property
    def in_flight(self) -> int:
        """Runs that are worked on here now."""
        return len(self._active)

    async def begin(self, hosted: HostedAgent, new: NewRun) -> None:
        """Begin to answer a question. Returns once it is stored; `follow` gives the events.

        A question whose run was begun before, here or elsewhere, is not begun again.

        Raises:
            Problem: `Draining`, `Overloaded`, `SessionNotFound`, `SessionFull`, `SessionBusy`, `StoreUnavailable`,
                `InvalidRequest` if the run was begun with another question.
            OtherRevision: if the session belongs to one of the `retiring`.
        """
        patient_until = time.monotonic() + new.wait
        while True:
            try:
                return await self._begin(hosted, new)
            except store.OtherQuestion:
                raise other_question() from None
            except store.RunExists:
                return
            except SessionBusy as now:
                if time.monotonic() >= patient_until:
                    raise session_busy(now, hosted.key) from None
            except SessionNotFound:
                raise session_not_found() from None
            except SessionFull:
                raise session_full(hosted) from None
            except StoreUnavailable as error:
                self.heartbeat.disturbed(error)
                raise store_unavailable() from error
            await self._until_free(new, patient_until)

    async def _begin(self, hosted: HostedAgent, new: NewRun) -> None:
        if self.draining:
            raise draining()
        while claimed := self._claiming.get(new.run_id):  # until it is stored, nobody could follow it
            await claimed.wait()
        if active := self._active.get(new.run_id):
            if not store.same_question(active.work.ask, new.ask):
                raise store.OtherQuestion(new.run_id)
            return
        slot = self._admission.enter(hosted.key, limit=hosted.config.in_flight)
        if slot is None:
            SHED.labels(hosted.key).inc()
            raise overloaded(hosted)
        await self._start(hosted, new.run_id, slot, self._claim(hosted, new))

    async def _until_free(self, new: NewRun, patient_until: float) -> None:
        """Wait until the session may be free, at most until then."""
        while time.monotonic() < patient_until and not self.draining:
            await asyncio.sleep(POLL_SECONDS)
            if await busy(self._database, new.ask.session or "") is None:
                return

    def sessions_of(self, hosted: HostedAgent) -> SessionStore:
        """Where an agent's sessions are kept."""
        return hosted.sessions or self._sessions

    def _is_here(self, run_id: str) -> bool:
        return run_id in self._active or run_id in self._claiming

    async def _claim(self, hosted: HostedAgent, new: NewRun) -> Work | None:
        question = store.Question(
            run_id=new.run_id,
            agent=hosted.key,
            revision=hosted.revision,
            caller=new.caller,
            ask=new.ask,
            session_id=(new.ask.session or str(uuid.uuid4())) if new.keeps_session else None,
            new_session=new.ask.session is None,
            session_ttl=hosted.config.session_ttl_seconds,
            max_turns=hosted.config.session_max_turns,
            retiring=new.retiring,
            timeout=hosted.config.request_timeout_seconds,
            architecture=hosted.config.architecture,
        )
        with span("store question"):
            return await named_sessions.begin(
                self.sessions_of(hosted), question, owner=self._owner, lease=LEASE_SECONDS
            )

    async def _start(self, hosted: HostedAgent, run_id: str, slot: Slot, claim: Awaitable[Work | None]) -> None:
        """Work on what `claim` gets a lease of, in the slot that was taken for it."""
        work: Work | None = None
        claimed = self._claiming[run_id] = asyncio.Event()
        try:
            work = await claim
        finally:
            del self._claiming[run_id]
            claimed.set()
            if work is None:
                slot.leave()
        if work is not None:
            self._launch(hosted, work, slot)

    def _launch(self, hosted: HostedAgent, work: Work, slot: Slot) -> None:
        run_id = work.lease.run_id
        # The slot is free before the client has its answer: its next question must not find its last one in the way.
        run_log = RunLog(work.lease, finished=slot.leave)
        attempt = Attempt(hosted, self.sessions_of(hosted), work, run_log, self._delta_delay)
        task = asyncio.create_task(attempt.run(self._database), name=f"run {run_id}")
        self._active[run_id] = Active(work, run_log, task)
        watch = asyncio.create_task(self._cancel_when_left(work, run_log)) if work.ask.unfollowed_seconds else None

        def ended(task: asyncio.Task[None]) -> None:
            del self._active[run_id]
            slot.leave()
            run_log.end()
            if watch is not None:
                watch.cancel()
            if not task.cancelled() and (error := task.exception()):
                log.error("a run broke off", exc_info=error, extra={"run": run_id})

        task.add_done_callback(ended)

    async def _cancel_when_left(self, work: Work, run_log: RunLog) -> None:
        assert work.ask.unfollowed_seconds
        await cancel_when_left(self._database, work, run_log, seconds=work.ask.unfollowed_seconds)
        self.stop({work.lease.run_id})

    async def events(self, run_id: str, *, agent: str, caller: str) -> Sequence[NumberedEvent]:
        """The events so far of a run that the caller may follow.

        Raises:
            Problem: `RunNotFound`, `StoreUnavailable`.
        """
        try:
            seen = await look(self._database, run_id, agent=agent, caller=caller, after=None)
        except StoreUnavailable as error:
            self.heartbeat.disturbed(error)
            raise store_unavailable() from error
        if seen is None:
            raise run_not_found()
        return seen.events

    async def follow(
        self, run_id: str, *, agent: str, caller: str, after: EventId | None = None, watch: bool = True
    ) -> AsyncGenerator[NumberedEvent]:
        """The events of a run after `after`, each once and in order, until its last one; wherever it is worked on.

        If the host that works on it is gone, this one takes the run over.

        Args:
            watch: whether the events are needed as they come (True), or it counts what the run comes to: its last
                event, or an input that it waits for, after which this ends too.

        Raises:
            Problem: `RunNotFound` if it is not this caller's run of this agent, or was deleted; `StoreUnavailable`;
                `Draining` if this host would have to take it over.
        """
        seen: Look | None = None
        noted = time.monotonic()
        while True:
            if active := self._worked_on_here(run_id, seen, agent=agent, caller=caller):
                async with aclosing(active.run_log.follow(after, watch=watch)) as events:
                    async for event in events:
                        yield event
                        after = event.id
                if active.run_log.outcome:
                    return
            seen = await self._look(run_id, agent=agent, caller=caller, after=after)
            for event in seen.events:
                yield event
                after = event.id
            if seen.outcome is not None:  # it is stored together with the last event, which the client may have had
                return
            if seen.waits_for is not None and not watch and not self._is_here(run_id):
                return
            if time.monotonic() - noted > FOLLOWED_SECONDS and not self._is_here(run_id):
                noted = time.monotonic()
                await self._note_follower(run_id)
            await self._move_on(run_id, agent, seen)

    def _worked_on_here(self, run_id: str, seen: Look | None, *, agent: str, caller: str) -> Active | None:
        """The run, if its log is all that is left to follow. Raises Problem: `RunNotFound`."""
        active = self._active.get(run_id)
        # The log has one attempt. What came before it is in the store, whole once that attempt has been seen there.
        if active is None or (seen.attempt if seen else 1) < active.work.lease.attempt:
            return None
        if (active.work.agent, active.work.caller) != (agent, caller):
            raise run_not_found()
        return active

    async def _note_follower(self, run_id: str) -> None:
        try:
            await note_follower(self._database, run_id)
        except StoreUnavailable as error:
            self.heartbeat.disturbed(error)

    async def _move_on(self, run_id: str, agent: str, seen: Look) -> None:
        """Wait a moment, and do for a run what nobody else does: deny an input in time, take it over from the dead."""
        if not self._is_here(run_id):
            if seen.waits_for is not None:
                if seen.waits_for > 0:
                    return await asyncio.sleep(min(WAITING_POLL_SECONDS, seen.waits_for))
                await self._deny(run_id, agent)
            elif self._is_orphan(seen):
                await self.adopt(run_id, agent, attempt=seen.attempt)
        await asyncio.sleep(0 if self._is_here(run_id) else POLL_SECONDS)

    async def _deny(self, run_id: str, agent: str) -> None:
        try:
            await inputs.deny_expired(self._database, [agent], limit=1, run_id=run_id)
        except StoreUnavailable as error:
            self.heartbeat.disturbed(error)

    async def _look(self, run_id: str, *, agent: str, caller: str, after: EventId | None) -> Look:
        """Look at a run in the store, with patience while the store is unavailable."""
        try:
            seen = await retrying.retry(
                lambda: look(self._database, run_id, agent=agent, caller=caller, after=after),
                policy=retrying.LOOK,
                on=lambda error: isinstance(error, StoreUnavailable),
                seconds=UNAVAILABLE_SECONDS,
                failed=self.heartbeat.disturbed,
            )
        except StoreUnavailable as error:
            raise store_unavailable() from error
        if seen is None:
            raise run_not_found()
        return seen

    def _is_orphan(self, seen: Look) -> bool:
        """Whether nobody works on a run that is not worked on here: its host is gone, or this one lost track of it."""
        if seen.outcome is not None or seen.waits_for is not None:
            return False
        return seen.owner == self._owner or (seen.lease_left < 0 and self.heartbeat.may_take_over())

    async def adopt(self, run_id: str, agent: str, *, attempt: int) -> None:
        """Take a run over, if this host can answer, there is a slot for it and no other host comes first.

        Raises:
            Problem: `Draining`.
        """
        if self.draining:
            raise draining()
        hosted = self.agents.get(agent)
        if hosted is None or not await self._can_answer(agent) or self._is_here(run_id):
            return
        slot = self._admission.enter(agent, limit=hosted.config.in_flight)
        if slot is None:
            return
        try:
            await self._start(hosted, run_id, slot, self._take_over(hosted, run_id, attempt=attempt))
        except StoreUnavailable as error:
            self.heartbeat.disturbed(error)

    async def _take_over(self, hosted: HostedAgent, run_id: str, *, attempt: int) -> Work | None:
        work = await leases.take_over(
            self._database,
            run_id,
            attempt=attempt,
            owner=self._owner,
            lease=LEASE_SECONDS,
            revision=hosted.revision,
        )
        if work is not None:
            TAKEOVERS.labels(hosted.key).inc()
            log.warning("took a run over", extra={"run": run_id, "attempt": work.lease.attempt})
        return work

    async def adopt_orphans(self, *, expired_for: float, limit: int) -> None:
        """Take over runs whose hosts died and that no client asks for, so that their sessions have an answer.

        Inputs whose time is over are denied, so that runs which waited for them go on.

        Runs of agents that this host cannot answer for are left to others, and so are runs of revisions that are ready
        elsewhere.

        Raises:
            StoreUnavailable: if the store is unavailable.
        """
        ready = [
            ServedRevision(key, hosted.revision) for key, hosted in self.agents.items() if await self._can_answer(key)
        ]
        if not ready:
            return
        await say_ready(self._database, ready)
        await inputs.deny_expired(self._database, [served.agent for served in ready], limit=limit)
        if not self.heartbeat.may_take_over():
            return
        for orphan in await orphans(self._database, ready, expired_for=expired_for, limit=limit):
            if not self._is_here(orphan.run_id) and not self.draining:
                await self.adopt(orphan.run_id, orphan.agent, attempt=orphan.attempt)

    def stop(self, run_ids: Collection[str]) -> None:
        """Stop working on runs that are over, or another host's."""
        for run_id in run_ids:
            if active := self._active.get(run_id):
                active.task.cancel()

    async def hand_over(self) -> None:
        """Stop working on all runs and give their leases up, so that other hosts take them over at once."""
        self.draining = True
        active = list(self._active.values())
        for run in active:
            run.task.cancel()
        if active:
            await asyncio.wait({run.task for run in active})
        try:
            await leases.release(self._database, [run.work.lease for run in active])
        except StoreUnavailable as error:
            log.warning("leases could not be given up, they run out by themselves: %s", error)
