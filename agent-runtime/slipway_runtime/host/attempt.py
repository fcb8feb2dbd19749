"""One attempt at a run: let the agent answer, store what it says, and make a last event of however that ends."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from slipway_runtime.agents.protocol import AgentRequest, Waiting
from slipway_runtime.events import Delta, Done, Event, Failed, InputRequired, Restarted, Started, StepEvent, ends
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lease import LEASE_SECONDS
from slipway_runtime.host.metrics import RUN_SECONDS, RUNS
from slipway_runtime.host.recorder import RunLog, record
from slipway_runtime.host.refusals import internal_error, store_away, too_late
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.runs import LeaseLost, Work
from slipway_runtime.telemetry.tracing import span

STEP = "answer"
"""The one step that an attempt is, until agents have steps of their own."""
MAX_DEATHS = 3
"""A question that brought this many hosts down is given up. Attempts that ended otherwise do not count."""
WAITING = "waiting"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """What there is to do.

    `delta_delay` is a pause, in seconds, before each piece of the answer: zero but in tests.
    """

    hosted: HostedAgent
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
        answering = asyncio.create_task(self._answer())
        try:
            await record(database, self.run_log, patience=max(self.work.time_left, 0.0) + LEASE_SECONDS)
        except LeaseLost:
            return "lost"
        except StoreUnavailable as error:
            log.error("a run is left to others: %s", error, extra={"run": self.work.lease.run_id})
            return "lost"
        finally:
            answering.cancel()
            await asyncio.wait({answering})
        return _outcome(self.run_log.last_event)

    async def _answer(self) -> None:
        """Queue the attempt's events; the last one ends the run, or lets it wait."""
        if self.work.lease.attempt > 1:
            self.run_log.put(Restarted(attempt=self.work.lease.attempt, discard=(STEP,)))
        self.run_log.put(Started(agent=self.hosted.key, session_id=self.work.session_id))
        try:
            await self._relay()
            return
        except Waiting as waiting:
            return self.run_log.put(waiting.required)
        except Problem as known:
            problem = known
        except StoreUnavailable:
            problem = store_away()
        except Exception:
            log.exception("the agent failed", extra={"run": self.work.lease.run_id})
            problem = internal_error()
        self.run_log.put(Failed(reason=problem.reason, message=problem.detail))

    async def _relay(self) -> None:
        """Queue what the agent says, up to its last event, within the question's deadline.

        Raises:
            Problem: `RequestTimeout`, or `InternalError` for a question that has brought too many hosts down.
        """
        if self.work.deaths >= MAX_DEATHS:
            raise Problem(Reason.INTERNAL_ERROR, f"The question was given up after {MAX_DEATHS} attempts. Ask again.")
        request = AgentRequest(self.work.question, self.work.answers, context=self.work.context)
        deadline = asyncio.timeout(max(self.work.time_left, 0.0))
        try:
            async with deadline, _closing(self.hosted.agent.run(request)) as events:
                async for event in events:
                    if isinstance(event, InputRequired):
                        raise RuntimeError("an agent asks by request.ask, not by an event")
                    if self.delta_delay and isinstance(event, Delta):
                        await asyncio.sleep(self.delta_delay)
                    self.run_log.put(event.model_copy(update={"step": STEP}) if isinstance(event, StepEvent) else event)
                    if ends(event):
                        return
        except TimeoutError:
            if not deadline.expired():
                raise  # the agent's own
            raise too_late(self.hosted.config.request_timeout_seconds) from None
        raise RuntimeError("the agent ended without a last event")


@asynccontextmanager
async def _closing(events: AsyncIterator[Event]) -> AsyncIterator[AsyncIterator[Event]]:
    """An agent's events; a generator is closed at the end, so that it cleans up now and not when it is collected."""
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


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
