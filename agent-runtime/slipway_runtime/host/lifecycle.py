"""A host's parts and what it does in the background, apart from HTTP: the same in a pod and in the local driver."""

import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from slipway_runtime.host.answer_topics import AnswerTopics
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lease import BEAT_SECONDS
from slipway_runtime.host.metrics import SESSIONS_EXPIRED
from slipway_runtime.host.readiness import HostReadiness
from slipway_runtime.host.runs import Runs
from slipway_runtime.host.uploads import UploadEmbedding
from slipway_runtime.identity import Verifier
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.orphans import forget_revisions
from slipway_runtime.store.session_stores import SessionStore, SessionsUnavailable, StoredSessions
from slipway_runtime.store.sessions import delete_expired_runs

ORPHAN_EVERY_SECONDS = 15.0
ORPHAN_AFTER_SECONDS = 10.0
"""How long an orphan is left to the clients that may ask for it."""
ORPHAN_BATCH = 4
EXPIRE_EVERY_SECONDS = 60.0
EXPIRE_BATCH = 100
ANSWERS_EVERY_SECONDS = 2.0
"""After which another topic for answers counts."""
log = logging.getLogger(__name__)


class Host:
    """Serves agents. Use `running()` around the time that it serves.

    Args:
        database: the store; may be one that opens later.
        verifier: checks the gateway's tokens.
        host_id: the pod's name. What this process owns in the store is named after it and a random part, since a
            container that is started again keeps the name but not the runs.
        delta_delay: seconds to wait before each piece of an answer; for tests.
    """

    def __init__(self, database: Database, *, verifier: Verifier, host_id: str, delta_delay: float = 0.0) -> None:
        self.database = database
        self.verifier = verifier
        self.readiness = HostReadiness(database, agents=lambda: self.runs.agents, draining=lambda: self.runs.draining)
        owner = f"{host_id}/{uuid.uuid4().hex[:8]}"
        self.uploads = UploadEmbedding(database, owner=owner, agents=lambda: self.runs.agents)
        self.everyone_uploads = False
        """Whether whoever asks may upload: in the local driver, where nobody has groups."""
        self.runs = Runs(
            database,
            owner=owner,
            agents={},
            can_answer=self.readiness.can_answer,
            delta_delay=delta_delay,
        )
        self.answers = AnswerTopics(database, agents=lambda: self.runs.agents)

    def serve(self, agents: Iterable[HostedAgent]) -> None:
        """Serve these agents and no others from now on. Runs that are under way end as they began."""
        self.runs.agents = {hosted.key: hosted for hosted in agents}

    def drain(self) -> None:
        """Take no more questions; go on with what is there."""
        self.runs.draining = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do what must be done in the background; at the end hand over what is unfinished."""
        chores = (
            self._every(lambda: BEAT_SECONDS, self.runs.heartbeat.beat),
            self._every(lambda: _jittered(ORPHAN_EVERY_SECONDS), self._adopt_orphans),
            self._every(lambda: _jittered(EXPIRE_EVERY_SECONDS), self._expire_sessions),
            self._every(lambda: ANSWERS_EVERY_SECONDS, self.answers.look),
            self._every(lambda: 0.0, self._embed_uploads),
        )
        tasks = [asyncio.create_task(chore) for chore in chores]
        try:
            yield
        finally:
            await self.runs.hand_over()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.answers.stop()

    async def _every(self, pause: Callable[[], float], chore: Callable[[], Awaitable[None]]) -> None:
        """Do a chore again and again; one that failed is tried again at the next turn."""
        while True:
            await asyncio.sleep(pause())
            try:
                await chore()
            except StoreUnavailable as error:
                self.runs.heartbeat.disturbed(error)
            except Exception:
                log.exception("a chore failed")

    async def _adopt_orphans(self) -> None:
        await self.runs.adopt_orphans(expired_for=ORPHAN_AFTER_SECONDS, limit=ORPHAN_BATCH)

    async def _embed_uploads(self) -> None:
        await self.uploads.wait()
        await self.uploads.embed()

    def _sessions_elsewhere(self) -> list[SessionStore]:
        return [hosted.sessions for hosted in self.runs.agents.values() if hosted.sessions is not None]

    async def _expire_sessions(self) -> None:
        await _expire(StoredSessions(self.database))
        while await delete_expired_runs(self.database, limit=EXPIRE_BATCH) > 0:
            pass
        await forget_revisions(self.database)
        for sessions in self._sessions_elsewhere():
            try:
                await _expire(sessions)
            except SessionsUnavailable as error:
                log.warning("expired sessions are left: %s", error)


async def _expire(sessions: SessionStore) -> None:
    while (deleted := await sessions.delete_expired(limit=EXPIRE_BATCH)) > 0:
        SESSIONS_EXPIRED.inc(deleted)


def _jittered(seconds: float) -> float:
    """About that many seconds, so that hosts which were started together do not act together."""
    return seconds * random.uniform(0.7, 1.3)
