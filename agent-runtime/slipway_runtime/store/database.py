"""One small door to SQL, so that the store's modules are written once for Postgres and for SQLite.

A cluster's agents share a Postgres; the local driver has a SQLite file. Both are spoken to in one SQL text:

- parameters are `$1`, `$2`, ...; SQLite gets them as `?1`, `?2`, ...;
- `now_epoch()` is the *store's* clock in seconds since 1970, since the clocks of pods differ and leases compare times;
- `FOR UPDATE` locks rows in Postgres and is left out for SQLite, which has one writer at a time anyway;
- JSON is text, times are float seconds, blobs are bytes, truth values are integers.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

Engine = Literal["postgres", "sqlite"]
Value = str | int | float | bytes | None
Row = Mapping[str, Value]


class StoreUnavailable(Exception):
    """The store cannot be reached or did not answer in time. Whoever asks again later may succeed."""


def placeholders(first: int, count: int) -> str:
    """`$3, $4, $5` for first=3 and count=3."""
    return ", ".join(f"${number}" for number in range(first, first + count))


class Database(Protocol):
    """What the store's modules need of a database. Every method raises `StoreUnavailable` if the server is down."""

    @property
    def engine(self) -> Engine:
        """Which of the two it is, for the few statements that exist twice (`store/lexical.py`)."""
        ...

    async def execute(self, sql: str, *args: Value) -> int:
        """Run one statement and commit it. Returns how many rows it touched."""
        ...

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        """Run one statement (also one with `RETURNING`), commit it, and return its rows."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement once for each row of parameters: all of them are committed, or none."""
        ...

    async def chain(self, *statements: str, args: Sequence[Value]) -> list[Row]:
        """Run statements as one commit, each if the one before touched a row; in Postgres in one round trip.

        Each ends with `RETURNING`, and touches one row at most unless it is the last. What the first one returned is
        the table `s1` for those after it, and so on. What else they read is as it was before the first one. Foreign
        keys are checked at the end.

        Args:
            args: parameters of all statements together; the last statement, or one before it, uses each.

        Returns:
            The rows of the last statement; none if it was not run.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager["Database"]:
        """A database whose statements are committed together at the end, or rolled back if the body raises.

        Use only the database that it yields inside; transactions are not nested.
        """
        ...

    async def close(self) -> None:
        """Give all connections back. Statements that still run fail."""
        ...
