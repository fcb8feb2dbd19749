"""Ratings of answers: whoever asked says what an answer was worth, and reports read it.

Ratings are in a table of their own: in the namespace's store where the plugin's pod has its DSN (`python.store`),
otherwise in the SQLite file that `config.database` names (`sqlite:////var/lib/feedback.sqlite`), or a temporary one.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from slipway_crds.contract import STORE_DIR, STORE_KEY
from slipway_runtime.plugin_api import PluginMetadata, hookimpl
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.opening import open_database

TABLE = """
CREATE TABLE IF NOT EXISTS plugin_feedback (
    run_id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    rating BIGINT NOT NULL,
    comment TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL
)
"""
FILE = "slipway-feedback.sqlite"
"""In the folder for temporary files, where nothing else is configured."""


class Rating(BaseModel):
    """What an answer was worth."""

    run_id: Annotated[str, Field(min_length=1, max_length=64, description="The run_id of the answer.")]
    agent: Annotated[str, Field(pattern=r"^[-a-z0-9]+/[-a-z0-9]+$", description="As namespace/name.")]
    rating: Annotated[int, Field(ge=1, le=5, description="From 1, useless, to 5, perfect.")]
    comment: Annotated[str, Field(max_length=2000)] = ""


class Ratings:
    """The table. It is opened for one request at a time, so that nothing is left open, a store may be down for a while,
    and the namespace's agents keep their connections."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._turn = asyncio.Lock()

    async def add(self, rating: Rating) -> None:
        """Store it. A second rating of an answer takes the place of the first."""
        async with self._opened() as database:
            await database.execute(
                "INSERT INTO plugin_feedback (run_id, agent, rating, comment, created) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT (run_id) DO UPDATE SET rating = $3, comment = $4, created = $5",
                *(rating.run_id, rating.agent, rating.rating, rating.comment, time.time()),
            )

    async def newest(self, agent: str | None, *, most: int) -> list[dict[str, Any]]:
        """Ratings of an agent, or of all of them."""
        async with self._opened() as database:
            rows = await database.fetch(
                "SELECT run_id, agent, rating, comment, created FROM plugin_feedback WHERE agent = $1 OR $1 = '' "
                "ORDER BY created DESC, run_id LIMIT $2",
                *(agent or "", most),
            )
        return [dict(row) for row in rows]

    async def summary(self) -> dict[str, Any]:
        """How many ratings each agent has, and their average."""
        async with self._opened() as database:
            rows = await database.fetch(
                "SELECT agent, COUNT(*) AS count, CAST(AVG(rating) AS DOUBLE PRECISION) AS average "
                "FROM plugin_feedback GROUP BY agent ORDER BY agent"
            )
        return {str(row["agent"]): {"ratings": row["count"], "average": row["average"]} for row in rows}

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Database]:
        async with self._turn:
            database = await open_database(self._dsn())
            try:
                await database.execute(TABLE)
                yield database
            finally:
                await database.close()

    def _dsn(self) -> str:
        mounted = Path(STORE_DIR, STORE_KEY)
        if "database" not in self._config and mounted.is_file():
            return mounted.read_text().strip()
        return str(self._config.get("database") or f"sqlite:///{Path(tempfile.gettempdir(), FILE)}")


@hookimpl
def slipway_metadata() -> PluginMetadata:
    """What the plugin is."""
    return PluginMetadata(
        name="feedback",
        version="1.0.0",
        description="Ratings of answers, by HTTP.",
        author="Slipway",
        openapi_extensions={"x-feedback-endpoint": "/ratings"},
    )


@hookimpl
def slipway_router(config: Mapping[str, Any]) -> APIRouter:
    """Its endpoints, below `/plugins/{namespace}/{name}`."""
    router, ratings = APIRouter(tags=["feedback"]), Ratings(config)

    @router.post("/ratings", status_code=201)
    async def rate(rating: Rating) -> Rating:
        """Rate an answer. A second rating of the same run takes the place of the first."""
        await _stored(ratings.add(rating))
        return rating

    @router.get("/ratings")
    async def newest(agent: str | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> dict[str, Any]:
        """The newest ratings, of one agent or of all."""
        return {"ratings": await _stored(ratings.newest(agent, most=limit))}

    @router.get("/summary")
    async def summary() -> dict[str, Any]:
        """The number of ratings and their average, by agent."""
        return {"agents": await _stored(ratings.summary())}

    return router


async def _stored(work: Any) -> Any:
    """What the store gives. Raises HTTPException: 503, if it is unavailable."""
    try:
        return await work
    except StoreUnavailable as error:
        raise HTTPException(503, f"the ratings cannot be stored or read now: {error}") from error
