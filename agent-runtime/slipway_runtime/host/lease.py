"""How a host shows that it is alive, and when it may believe that another one is not."""

import time
from collections.abc import Callable, Collection, Sequence

from slipway_runtime.host.metrics import STORE_FAILURES
from slipway_runtime.store.database import Database
from slipway_runtime.store.leases import Lease, renew
from slipway_runtime.store.session_stores import SessionsUnavailable

LEASE_SECONDS = 5.0
BEAT_SECONDS = 1.5
CALM_SECONDS = 2 * BEAT_SECONDS


class Heartbeat:
    """Renews the leases of all runs that this host works on, in one statement for the whole host.

    While the store is unavailable nobody can renew, so when it comes back every lease has run out although nobody died.
    That is why a host that saw trouble takes nothing over until the others had time to renew.

    Args:
        leases: gives the leases of the runs that are worked on now.
        lost: is called with the ids of runs that are another host's by now, or over.
    """

    def __init__(
        self,
        database: Database,
        leases: Callable[[], Sequence[Lease]],
        lost: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._leases = leases
        self._lost = lost
        self._trouble = float("-inf")

    def disturbed(self, error: BaseException) -> None:
        """The store did not answer just now. Nothing follows from a Redis with sessions: leases are in the store."""
        if isinstance(error, SessionsUnavailable):
            return
        STORE_FAILURES.inc()
        self._trouble = time.monotonic()

    def may_take_over(self) -> bool:
        """Whether a lease that has run out means that its host is gone."""
        return time.monotonic() - self._trouble > CALM_SECONDS

    async def beat(self) -> None:
        """Renew once.

        Raises:
            StoreUnavailable: if the store is unavailable.
        """
        leases = self._leases()
        kept = await renew(self._database, leases, seconds=LEASE_SECONDS)
        self._lost({lease.run_id for lease in leases} - kept)
