"""Opening the store that a DSN names."""

from slipway_runtime.store.database import Database, StoreUnavailable


async def open_database(dsn: str) -> Database:
    """Connect and bring the tables up to date.

    Args:
        dsn: `postgresql://...`, or `sqlite:///path` (three slashes and a relative path, four for an absolute one).

    Raises:
        StoreUnavailable: if it cannot be reached, or the DSN is of neither kind.
    """
    if dsn.startswith(("postgresql://", "postgres://")):
        from slipway_runtime.store.postgres import open_postgres

        return await open_postgres(dsn)
    if dsn.startswith("sqlite:///"):
        from slipway_runtime.store.sqlite import open_sqlite

        return await open_sqlite(dsn.removeprefix("sqlite:///"))
    raise StoreUnavailable("a store's DSN begins with postgresql:// or sqlite:///; this one does not")
