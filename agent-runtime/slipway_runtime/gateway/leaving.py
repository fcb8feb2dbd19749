"""Runs whose clients have left, in protocols where leaving means to cancel."""

import asyncio
import logging

from slipway_runtime import retrying
from slipway_runtime.gateway.upstream import Broken, Refused, TooManyBroke, UpstreamRequest, Upstreams
from slipway_runtime.problems import Problem

UNFOLLOWED_SECONDS = 60
"""After which a run is cancelled that nobody follows: a gateway that dies cannot cancel what its clients left."""
CANCEL_TRIES = 3
"""To cancel a run, which may not be stored yet."""
CANCEL_SECONDS = 20.0
log = logging.getLogger(__name__)


async def cancel(upstreams: Upstreams, call: UpstreamRequest, *, run: str) -> None:
    """Cancel a run whose client is gone. A host does it itself, later, if it cannot be reached now.

    Args:
        call: the run's DELETE.
    """
    for tries in range(CANCEL_TRIES):
        if tries:
            await asyncio.sleep(retrying.delay(retrying.CANCEL, tries))
        try:
            async with asyncio.timeout(CANCEL_SECONDS), upstreams.open(call) as (response, _):
                if response.status != 404:
                    return
        except (Problem, Refused, TooManyBroke, TimeoutError, *Broken) as error:
            log.warning(
                "a run that its client left could not be cancelled",
                extra={"agent": str(call.agent), "run": run, "cause": type(error).__name__},
            )
            return
