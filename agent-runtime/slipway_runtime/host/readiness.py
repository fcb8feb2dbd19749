"""What a host still lacks, in sentences that a person can act on."""

import asyncio
import time

from slipway_runtime.host.runs import Runs
from slipway_runtime.store.database import Database, StoreUnavailable

CHECK_SECONDS = 2.0
"""How long one check may take."""
KEEP_SECONDS = 0.5
"""How long a result is good for, so that many probes are not many checks."""


class Readiness:
    """Finds out what is missing: the store, then whatever the agents say."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._database = database
        self._runs = runs
        self._result: list[str] = []
        self._checked = float("-inf")
        self._checking = asyncio.Lock()

    async def missing(self) -> list[str]:
        """What is not there yet; empty when the host can answer."""
        if self._runs.draining:
            return ["the pod is going away and finishes what it has"]
        async with self._checking:
            if time.monotonic() - self._checked > KEEP_SECONDS:
                self._result = await self._check()
                self._checked = time.monotonic()
            return self._result

    async def _check(self) -> list[str]:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._database.fetch("SELECT 1 AS one")
                lacks = await asyncio.gather(*(hosted.agent.missing() for hosted in self._runs.agents.values()))
                return [sentence for sentences in lacks for sentence in sentences]
        except StoreUnavailable as error:
            return [f"the store: {error}"]
        except TimeoutError:
            return [f"an answer from the store or the indexes within {CHECK_SECONDS:g} seconds"]
