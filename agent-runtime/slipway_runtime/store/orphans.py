"""Runs that nobody works on, and which hosts may take them over.

A run belongs to the revision that it began with. Hosts of that revision come first. Another one takes it over only when
none of the run's own was ready for a while: hosts write down now and then that their revision is ready.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from slipway_runtime.store.database import Database

READY_SECONDS = 30.0
"""For how long a revision counts as ready after one of its hosts last said so."""
KEPT_SECONDS = 3600.0
"""For how long it is kept when a revision was ready."""
OWN_IS_READY = (
    "EXISTS (SELECT 1 FROM ready_revisions p WHERE p.agent = runs.agent AND p.revision = runs.revision "
    f"AND p.seen > now_epoch() - {READY_SECONDS})"
)
"""SQL about a row of `runs`: whether hosts of the run's own revision are ready."""


class ServedRevision(NamedTuple):
    """An agent in one revision, as a host serves it."""

    agent: str
    revision: str


@dataclass(frozen=True)
class Orphan:
    """A run that nobody works on."""

    run_id: str
    agent: str
    attempt: int


async def say_ready(database: Database, served: Sequence[ServedRevision]) -> None:
    """Write down that hosts of these revisions are ready now."""
    for agent, revision in sorted(served):  # in one order, so that hosts do not wait for each other in a circle
        await database.execute(
            "INSERT INTO ready_revisions (agent, revision, seen) VALUES ($1, $2, now_epoch()) "
            "ON CONFLICT (agent, revision) DO UPDATE SET seen = excluded.seen",
            agent,
            revision,
        )


async def forget_revisions(database: Database) -> None:
    """Delete what was written down about revisions that are long gone."""
    await database.execute("DELETE FROM ready_revisions WHERE seen < now_epoch() - $1", KEPT_SECONDS)


async def orphans(
    database: Database, served: Sequence[ServedRevision], *, expired_for: float, limit: int
) -> list[Orphan]:
    """Runs that a host of these revisions may take over, its own first and then the oldest first.

    Args:
        expired_for: seconds for which their leases must have run out.
    """
    numbers = range(3, 2 * len(served) + 3, 2)
    own = " OR ".join(f"(agent = ${number} AND revision = ${number + 1})" for number in numbers)
    agents = ", ".join(f"${number}" for number in numbers)
    rows = await database.fetch(
        "SELECT id, agent, attempt FROM runs WHERE outcome IS NULL AND wake_at IS NULL "
        f"AND lease_until < now_epoch() - $1 AND agent IN ({agents}) AND ({own} OR NOT {OWN_IS_READY}) "
        f"ORDER BY CASE WHEN {own} THEN 0 ELSE 1 END, created LIMIT $2",
        expired_for,
        limit,
        *(value for each in served for value in each),
    )
    return [Orphan(cast(str, row["id"]), cast(str, row["agent"]), cast(int, row["attempt"])) for row in rows]
