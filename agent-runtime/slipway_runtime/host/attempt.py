"""One attempt at a run: let the agent answer, store what it says, and make a last event of however that ends."""

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial

import orjson

from slipway_runtime import retrying
from slipway_runtime.agents.protocol import TURNS
from slipway_runtime.agents.steps import StepRun
from slipway_runtime.events import Done, Event, Failed, InputRequired, Restarted, Started
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lease import LEASE_SECONDS
from slipway_runtime.host.metrics import RUN_SECONDS, RUNS
from slipway_runtime.host.recorder import RunLog, record
from slipway_runtime.host.refusals import given_up, internal_error, store_unavailable, too_late, unknown_outcome
from slipway_runtime.knowledge.access import reading_for
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import AgentRequest, UnknownOutcome, Waiting
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.leases import LeaseLost, Work
from slipway_runtime.store.session_stores import SessionStore
from slipway_runtime.store.sessions import FinishedTurn, Summary, finished_turns
from slipway_runtime.telemetry.tracing import span

MAX_TURNS = 50
"""Former turns of a session that an agent gets at most, besides the summary of those before."""
MAX_DEATHS = 3
"""A question that brought this many hosts down, without finishing a step in between, is given up."""
WAITING = "waiting"
ANSWER_BYTES = 1024 * 1024 - 4096
"""Of the event with the answer: gateways take 1 MiB."""
SURELY_SMALL = ANSWER_BYTES // 8
"""Characters of an answer that need not be counted."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """What there is to do.

    `delta_delay` is a pause, in seconds, before each piece of the answer: zero but in tests.
    """

    hosted: HostedAgent
    sessions: SessionStore
    work: Work
    run_log: RunLog
    delta_delay: float

    async def run(self, database: Database) -> None:
        """Work until the attempt's last event is stored, or the run is not ours any more."""
        agent, lease = self.hosted.key, self.work.lease
        began = time.perf_counter()
        with span("run", attributes={"slipway.agent": agent, "slipway.run": lease.run_id}) as current:
            current.set_attribute("slipway.attempt", lease.attempt)
            outcome = await self._record(database)
            current.set_attribute("slipway.outcome", outcome)
            seconds = time.perf_counter() - began
            RUNS.labels(agent, outcome).inc()
            RUN_SECONDS.labels(agent).observe(seconds)
            extra = {"agent": agent, "run": lease.run_id, "outcome": outcome, "seconds": round(seconds, 4)}
            log.info("run waits" if outcome == WAITING else "run ended", extra=extra)

    async def _record(self, database: Database) -> str:
        """Answer and store at the same time. Returns the outcome, for the metrics."""
        answering = asyncio.create_task(self._answer(database))
        patience = max(self.work.time_left, 0.0) + LEASE_SECONDS
        try:
            await record(database, self.run_log, patience=patience, delta_delay=self.delta_delay)
        except LeaseLost:
            return "lost"
        except StoreUnavailable as error:
            log.error("a run is left to others: %s", error, extra={"run": self.work.lease.run_id})
            return "lost"
        finally:
            answering.cancel()
            await asyncio.wait({answering})
        return _outcome(self.run_log.last_event)

    async def _answer(self, database: Database) -> None:
        """Queue the attempt's events; the last one ends the run, or lets it wait."""
        if self.work.lease.attempt > 1:
            self.run_log.put(Restarted(attempt=self.work.lease.attempt, discard=self.work.replay.void))
        self.run_log.put(Started(agent=self.hosted.key, revision=self.hosted.revision, session_id=self.work.session_id))
        self.run_log.put(await self._last_event(database))

    async def _last_event(self, database: Database) -> Event:
        try:
            return _small_enough(await self._waited(database))
        except UnknownOutcome as unknown:
            log.error("a step has no known outcome", extra={"run": self.work.lease.run_id, "step": unknown.step})
            problem = unknown_outcome()
        except Problem as known:
            problem = known
        except StoreUnavailable:
            problem = store_unavailable()
        except Exception:
            log.exception("the agent failed", extra={"run": self.work.lease.run_id})
            problem = internal_error()
        return Failed(reason=problem.reason, message=problem.detail)

    async def _waited(self, database: Database) -> Event:
        """The answer, or the input that the run waits for, until after which its session is kept."""
        try:
            return await self._done(database)
        except Waiting as waiting:
            if self.work.session_id:
                await self._keep(self.work.session_id, until=waiting.required.expires)
            return waiting.required

    async def _keep(self, session_id: str, *, until: float) -> None:
        """Keep the session in a Redis too. The run waits whatever becomes of this."""
        try:
            await self.sessions.keep(session_id, until=until + self.hosted.config.session_ttl_seconds)
        except StoreUnavailable as error:
            log.warning(
                "a session is not kept any longer than before: %s", error, extra={"run": self.work.lease.run_id}
            )

    async def _done(self, database: Database) -> Done:
        """Let the agent answer within the question's deadline.

        Raises:
            Problem: `RequestTimeout`, or `InternalError` for a question that has brought too many hosts down.
            UnknownOutcome: if a step that must not be run again has no result, now or from a former attempt.
            Waiting: if the run waits.
        """
        if self.work.replay.unknown:
            raise UnknownOutcome(self.work.replay.unknown[0])
        if self.work.deaths >= MAX_DEATHS:
            raise given_up(MAX_DEATHS)
        deadline = asyncio.timeout(max(self.work.time_left, 0.0))
        run: StepRun | None = None
        try:
            async with deadline:
                run = await self._prepare(database)
                with reading_for(self.work.ask.groups or ()):  # whoever lets the run go on
                    return await self.hosted.agent.run(run)
        except TimeoutError:
            if not deadline.expired():
                raise  # the agent's own
            raise too_late(self.hosted.config.request_timeout_seconds) from None
        finally:
            if run is not None and not deadline.expired():
                run.check()

    async def _prepare(self, database: Database) -> StepRun:
        work = self.work
        session_id = work.session_id
        turns: tuple[FinishedTurn, ...] = ()
        summary = Summary()
        if TURNS in self.hosted.agent.honours and session_id and work.turn and work.turn > 1:
            summary, turns = await self._former(database, session_id, before=work.turn)
        return StepRun(
            AgentRequest.of(work.ask, turns, summary),
            self.run_log,
            id=work.lease.run_id,
            agent=work.agent,
            caller=work.caller,
            session_id=session_id,
            time_left=work.time_left,
            replay=work.replay,
            answers=work.answers,
            save=partial(self.sessions.save_summary, session_id) if session_id else None,
        )

    async def _former(
        self, database: Database, session_id: str, *, before: int
    ) -> tuple[Summary, tuple[FinishedTurn, ...]]:
        """The summary and the turns after it. Without them the steps of former attempts would have other inputs."""

        async def read() -> tuple[Summary, tuple[FinishedTurn, ...]]:
            summary = await self.sessions.read_summary(session_id)
            turns = await finished_turns(database, session_id, after=summary.turn, before=before, limit=MAX_TURNS)
            return summary, turns

        return await retrying.retry(read, policy=retrying.COMMIT, on=lambda error: isinstance(error, StoreUnavailable))


def _small_enough(event: Event) -> Event:
    """Raises Problem: `LimitReached`, for an answer that gateways would not pass on."""
    if isinstance(event, Done) and (len(event.answer) > SURELY_SMALL or event.output is not None):
        size = len(orjson.dumps(event.to_json()))
        if size > ANSWER_BYTES:
            raise Problem(
                Reason.LIMIT_REACHED,
                f"The answer has {size} bytes, and {ANSWER_BYTES} at most may be passed on: ask for less at once.",
            )
    return event


def _outcome(event: Event | None) -> str:
    """A few words, so that the metric stays small."""
    match event:
        case Done(finish="abstained"):
            return "abstained"
        case Failed(reason=reason):
            return reason
        case InputRequired():
            return WAITING
        case None:
            return "lost"
        case _:
            return event.type
