"""Where the sessions of an agent are kept, behind one interface: in the store itself, or in a Redis.

Runs are in the store either way. So a Redis that loses what it had not written yet loses sessions, and never an answer
under way: see docs/operations.md.
"""

from typing import Protocol

from slipway_runtime.store import runs, sessions
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.leases import Work
from slipway_runtime.store.runs import Question
from slipway_runtime.store.sessions import Session, Summary


class SessionsUnavailable(StoreUnavailable):
    """A server that keeps sessions cannot be used. Leases are in the store, so nothing follows for them."""


class SessionStore(Protocol):
    """The sessions of one agent. Every method raises `StoreUnavailable` if a server that it needs is unavailable."""

    async def begin(self, question: Question, *, owner: str, lease: float) -> Work:
        """Store a question, as a turn of its session if it has one, and take the lease of its first attempt.

        Raises:
            RunExists, OtherQuestion, SessionBusy, SessionNotFound, SessionFull, OtherRevision: see `runs.begin`.
        """
        ...

    async def clear(self, session_id: str, *, agent: str, caller: str) -> None:
        """Delete what is left of a session that is not found any more, so that one of the same id can be begun."""
        ...

    async def read(self, session_id: str, *, agent: str, caller: str) -> Session:
        """A session and its newest turns. Raises SessionNotFound, as for a session of somebody else."""
        ...

    async def delete(self, session_id: str, *, agent: str, caller: str) -> None:
        """Delete a session with its runs and their events. A run that is under way stops. Raises SessionNotFound."""
        ...

    async def keep(self, session_id: str, *, until: float) -> None:
        """Keep a session at least until then, in seconds since 1970: a run of it waits for an input."""
        ...

    async def read_summary(self, session_id: str) -> Summary:
        """What stands for the session's oldest turns; nothing for a session that is not there."""
        ...

    async def save_summary(self, session_id: str, summary: Summary) -> None:
        """Keep a summary, unless the session has one that stands for more turns."""
        ...

    async def delete_expired(self, *, limit: int) -> int:
        """Delete up to `limit` sessions whose time is over and that answer nothing now. Returns how many."""
        ...

    async def missing(self) -> list[str]:
        """What is not there yet to take questions besides the store, each as a sentence for `/readyz`."""
        ...

    async def close(self) -> None:
        """Close what it has opened itself."""
        ...


class StoredSessions:
    """See `SessionStore`: rows of the store, written in the same transactions as its runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, question: Question, *, owner: str, lease: float) -> Work:
        return await runs.begin(self._database, question, owner=owner, lease=lease)

    async def clear(self, session_id: str, *, agent: str, caller: str) -> None:
        await sessions.delete_leftover(self._database, session_id, agent=agent, caller=caller)

    async def read(self, session_id: str, *, agent: str, caller: str) -> Session:
        return await sessions.read_session(self._database, session_id, agent=agent, caller=caller)

    async def delete(self, session_id: str, *, agent: str, caller: str) -> None:
        await sessions.delete_session(self._database, session_id, agent=agent, caller=caller)

    async def keep(self, session_id: str, *, until: float) -> None:
        """Done by the transaction that lets the run wait."""

    async def read_summary(self, session_id: str) -> Summary:
        return await sessions.read_summary(self._database, session_id)

    async def save_summary(self, session_id: str, summary: Summary) -> None:
        await sessions.save_summary(self._database, session_id, summary)

    async def delete_expired(self, *, limit: int) -> int:
        return await sessions.delete_expired(self._database, limit=limit)

    async def missing(self) -> list[str]:
        return []

    async def close(self) -> None:
        """The store is closed by whoever opened it."""
