"""Sessions in a Redis: their rows and summaries. Runs are in the store, with a row that reporting tools read.

A question is checked in Redis, stored, and then noted in Redis. What is noted there can be lost without harm: turns are
numbered by the runs in the store, and one answer at a time is what the store sees to. A session whose row is lost does
not exist any more; its runs go when their time is over.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from slipway_runtime.addresses import resolve
from slipway_runtime.store import runs
from slipway_runtime.store.database import Database, placeholders
from slipway_runtime.store.leases import Work
from slipway_runtime.store.runs import Question, same_run
from slipway_runtime.store.session_stores import SessionsUnavailable
from slipway_runtime.store.sessions import (
    OtherRevision,
    Session,
    SessionFull,
    SessionNotFound,
    Summary,
    delete_leftover,
    read_turns,
)

log = logging.getLogger(__name__)
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
SHORT_SECONDS = 1.0
"""For what a run or a probe waits for and can do without."""
CONNECTIONS = 20
"""More commands than these at once wait for one another, as long as for an answer."""
TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
SUMMARISE = """
local turn = redis.call('HGET', KEYS[1], 'summarized')
if not turn or tonumber(turn) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'summary', ARGV[1], 'summarized', ARGV[2])
return 1
"""


@contextmanager
def redis_errors() -> Iterator[None]:
    """What redis-py raises for a server that is unavailable or refuses, as `SessionsUnavailable`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        why = str(error) or "no answer in time"
        raise SessionsUnavailable(f"Redis cannot be used: {type(error).__name__}: {why}") from error


@asynccontextmanager
async def _in_short() -> AsyncIterator[None]:
    """See `redis_errors`, for `SHORT_SECONDS` at most."""
    with redis_errors():
        async with asyncio.timeout(SHORT_SECONDS):
            yield


class _Login(CredentialProvider):
    """The user of the URL and the password in a file, which is read again for each connection."""

    def __init__(self, user: str, file: Path) -> None:
        self._user = user
        self._file = file

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """See CredentialProvider. Raises SessionsUnavailable while there is no password."""
        try:
            password = self._file.read_text().strip()
        except OSError:
            password = ""
        if not password:
            raise SessionsUnavailable(f"Redis cannot be used: the file {self._file} has no password")
        return (self._user, password) if self._user else (password,)


class _Guarded(Connection):
    """Connects to allowed addresses only: see `addresses`."""

    async def _connect(self) -> None:
        """Raises ForbiddenAddress before anything is sent, or OSError if no address answers in time."""
        failure = OSError(f"{self.host} has no address")
        async with asyncio.timeout(self.socket_connect_timeout):
            for address in dict.fromkeys(await resolve(self.host, self.port)):
                self._address = address
                try:
                    await super()._connect()  # type: ignore[no-untyped-call]
                except OSError as error:
                    failure = error
                else:
                    return
        raise failure

    def _connection_arguments(self) -> Mapping[str, Any]:
        arguments = {**super()._connection_arguments(), "host": self._address}
        return {**arguments, "server_hostname": self.host} if "ssl" in arguments else arguments


class _GuardedTLS(_Guarded, SSLConnection):
    """The certificate is checked for the name, whatever address it leads to."""


def open_redis(url: str, *, password_file: Path | None = None, ca_file: Path | None = None) -> Redis:
    """A client that connects when it is first used, and again after the server was unavailable.

    Args:
        url: `redis://` or, with TLS, `rediss://`; it may name a user, and holds no password.
        password_file: the password alone.
        ca_file: PEM certificates of the authorities that sign the server's, instead of the ordinary ones.
    """
    login = _Login(unquote(urlsplit(url).username or ""), password_file) if password_file else None
    tls: dict[str, Any] = {"ssl_ca_certs": str(ca_file)} if ca_file else {}
    place: dict[str, Any] = {**parse_url(_without_user(url) if login else url)}
    place["connection_class"] = _GuardedTLS if place.get("connection_class") is SSLConnection else _Guarded
    pool = BlockingConnectionPool(
        timeout=ANSWER_SECONDS,
        credential_provider=login,
        decode_responses=True,
        max_connections=CONNECTIONS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=0,
        **place,
        **tls,
    )
    return Redis.from_pool(pool)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class RedisSessions:
    """See `SessionStore`.

    Args:
        agent: `namespace/name`. Every key begins with `slipway:` and this.
    """

    def __init__(self, database: Database, redis: Redis, *, agent: str) -> None:
        self._database = database
        self._redis = redis
        self._agent = agent
        self._kept = _kept(redis)

    def _key(self, session_id: str) -> str:
        return f"slipway:{self._agent}:{session_id}"

    async def begin(self, question: Question, *, owner: str, lease: float) -> Work:
        if question.session_id is None:
            return await runs.begin(self._database, question, owner=owner, lease=lease)
        try:
            await self.enter(question, question.session_id)
        except SessionNotFound:
            await same_run(self._database, question)  # one that is sent again may have a session that is over by now
            raise
        work = await runs.begin(
            self._database, question, owner=owner, lease=lease, next_turn=self._next_turn, kept=self._kept
        )
        await self._entered(question, question.session_id)
        return work

    async def clear(self, session_id: str, *, agent: str, caller: str) -> None:
        await delete_leftover(self._database, session_id, agent=agent, caller=caller, kept=self._kept)

    async def _next_turn(self, database: Database, question: Question) -> int:
        """The number of a question in a session that is not new."""
        assert question.session_id is not None
        rows = await database.fetch(
            "SELECT (SELECT coalesce(max(r.turn), 0) + 1 FROM runs r WHERE r.session_id = s.id) AS turn "
            "FROM sessions s WHERE s.id = $1 AND s.agent = $2 AND s.caller = $3 AND s.kept = $4",
            question.session_id,
            question.agent,
            question.caller,
            self._kept,
        )
        if not rows:
            raise SessionNotFound(question.session_id)
        turn = cast(int, rows[0]["turn"])
        if turn > question.max_turns:
            raise SessionFull(question.session_id)
        return turn

    async def enter(self, question: Question, session_id: str) -> None:
        """Make a new session; whether a question may be asked in another one."""
        if question.new_session:
            await self._add(question, session_id)
            return
        row = await self._row(session_id, agent=question.agent, caller=question.caller)
        if row["revision"] in question.retiring - {question.revision}:
            raise OtherRevision(row["revision"])

    async def _add(self, question: Question, session_id: str) -> None:
        key = self._key(session_id)
        row = {"agent": question.agent, "caller": question.caller, "revision": question.revision, "summary": ""}
        pipeline: Any = self._redis.pipeline(transaction=True)
        pipeline.hset(key, mapping={**row, "summarized": 0, "created": repr(await self._now())})
        pipeline.pexpire(key, _milliseconds(question.session_ttl))
        with redis_errors():
            await pipeline.execute()

    async def _now(self) -> float:
        with redis_errors():
            seconds, microseconds = await self._redis.time()
        return float(seconds) + microseconds / 1e6

    async def _entered(self, question: Question, session_id: str) -> None:
        """The question is stored, so that it is answered whatever becomes of this note."""
        try:
            async with _in_short():
                await cast(
                    Any,
                    self._redis.eval(
                        TAKE, 1, self._key(session_id), question.revision, _milliseconds(question.session_ttl)
                    ),
                )
        except SessionsUnavailable as error:
            log.warning("a session is not kept any longer than before: %s", error, extra={"run": question.run_id})

    async def read(self, session_id: str, *, agent: str, caller: str) -> Session:
        row = await self._row(session_id, agent=agent, caller=caller)
        with redis_errors():
            left = await self._redis.pttl(self._key(session_id))
        return Session(
            id=session_id,
            agent=agent,
            created=float(row["created"]),
            expires=await self._now() + max(0, left) / 1000,
            turns=await read_turns(self._database, session_id),
        )

    async def delete(self, session_id: str, *, agent: str, caller: str) -> None:
        await self._row(session_id, agent=agent, caller=caller)
        await self._database.execute("DELETE FROM sessions WHERE id = $1 AND kept = $2", session_id, self._kept)
        with redis_errors():
            await self._redis.delete(self._key(session_id))

    async def keep(self, session_id: str, *, until: float) -> None:
        with redis_errors():
            await self._redis.pexpireat(self._key(session_id), _milliseconds(until))

    async def read_summary(self, session_id: str) -> Summary:
        with redis_errors():
            found = await cast(Any, self._redis.hmget(self._key(session_id), ["summary", "summarized"]))
        return Summary(found[0] or "", int(found[1] or 0))

    async def save_summary(self, session_id: str, summary: Summary) -> None:
        text = summary.text.replace("\0", "")
        with redis_errors():
            await cast(Any, self._redis.eval(SUMMARISE, 1, self._key(session_id), text, str(summary.turn)))

    async def delete_expired(self, *, limit: int) -> int:
        """The rows that the store has of sessions that this Redis has no more, with their runs."""
        while due := await self._due(limit):
            left = await self._left(due)
            await self._database.execute_many(
                "UPDATE sessions SET expires = now_epoch() + $2 WHERE id = $1", list(left.items())
            )
            if gone := [session_id for session_id in due if session_id not in left]:
                marks = placeholders(1, len(gone))
                return await self._database.execute(f"DELETE FROM sessions WHERE id IN ({marks})", *gone)
        return 0

    async def _due(self, limit: int) -> list[str]:
        rows = await self._database.fetch(
            "SELECT s.id FROM sessions s WHERE s.kept = $1 AND s.agent = $2 AND s.expires < now_epoch() "
            "AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.session_id = s.id AND r.outcome IS NULL "
            "AND r.lease_until > now_epoch()) LIMIT $3",
            self._kept,
            self._agent,
            limit,
        )
        return [cast(str, row["id"]) for row in rows]

    async def _left(self, session_ids: Sequence[str]) -> dict[str, float]:
        """Seconds for which sessions are still kept, of those that are."""
        with redis_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for session_id in session_ids:
                pipeline.pttl(self._key(session_id))
            left = await pipeline.execute()
        return {each: ttl / 1000 for each, ttl in zip(session_ids, left, strict=True) if ttl > 0}

    async def missing(self) -> list[str]:
        try:
            async with _in_short():
                await cast(Any, self._redis.ping())
        except SessionsUnavailable as error:
            return [f"the sessions: {error}"]
        return []

    async def close(self) -> None:
        await self._redis.aclose()

    async def _row(self, session_id: str, *, agent: str, caller: str) -> dict[str, str]:
        with redis_errors():
            row = await cast(Any, self._redis.hgetall(self._key(session_id)))
        if (row.get("agent"), row.get("caller")) != (agent, caller):
            raise SessionNotFound(session_id)
        return cast(dict[str, str], row)


def _kept(redis: Redis) -> str:
    """What `sessions.kept` is for a Redis: another one at the same time, as of a candidate revision, has no say."""
    place = redis.connection_pool.connection_kwargs
    text = f"{place.get('host', 'localhost').lower()}:{place.get('port', 6379)}/{place.get('db', 0)}"
    return f"redis:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
