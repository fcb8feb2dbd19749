"""Cancelling runs that nobody follows, for clients whose leaving means that: the gateway may have died with them."""

import asyncio
import logging
import time

from slipway_runtime.events import Cancelled
from slipway_runtime.host.metrics import RUNS
from slipway_runtime.host.recorder import RunLog
from slipway_runtime.store import runs as store
from slipway_runtime.store.database import Database, StoreUnavailable
from slipway_runtime.store.followers import is_left
from slipway_runtime.store.leases import Work

log = logging.getLogger(__name__)


async def cancel_when_left(database: Database, work: Work, run_log: RunLog, *, seconds: float) -> None:
    """Return once a run is cancelled because nobody followed it for so long. Cancel this when its attempt ends."""
    while True:
        wait = run_log.left_since + seconds - time.monotonic() if run_log.left_since else seconds
        if wait > 0:
            await asyncio.sleep(wait)
            continue
        try:
            if await is_left(database, work.lease.run_id, seconds=seconds):
                await _cancel(database, work, seconds)
                return
        except StoreUnavailable as error:
            log.warning("a run that nobody follows goes on: %s", error, extra={"run": work.lease.run_id})
        await asyncio.sleep(seconds)


async def _cancel(database: Database, work: Work, seconds: float) -> None:
    event = Cancelled(reason="NobodyFollowed", message=f"Nobody followed the run for {seconds:g} s. Ask again.")
    if await store.cancel(database, work.lease.run_id, event, agent=work.agent, caller=work.caller):
        RUNS.labels(work.agent, event.type).inc()
        log.info("cancelled a run that nobody follows", extra={"run": work.lease.run_id})
