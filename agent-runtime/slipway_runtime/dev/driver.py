"""The local driver: makes manifests real in this process, and again when they change.

What is there goes on serving until its successor is ready: what is new is announced, then what takes a while is made,
next to what is served, then all is exchanged.
"""

from slipway_crds.registry import OWNER_KINDS
from slipway_runtime.dev import agents, indexes, plugins, workflows
from slipway_runtime.dev.kinds import Outcome, Report
from slipway_runtime.dev.manifests import Manifests
from slipway_runtime.dev.parts import Parts

ROWS = [agents.ROW, indexes.ROW, plugins.ROW, workflows.ROW]
"""The kinds of which something is made here, one row each. A test may add one."""


class LocalDriver:
    """Applies manifests to the parts of this process, for every kind of the registry that has a row.

    Args:
        host_url: where the host listens, for the gateway's routes.
    """

    def __init__(self, parts: Parts, *, host_url: str) -> None:
        self._parts = parts
        self._kinds = [row.start(parts, host_url) for row in ROWS if row.kind.name in OWNER_KINDS]
        self._applied = False
        parts.gateway.routes_missing = self.missing

    def missing(self) -> str | None:
        """Why not everything is served yet, for `/readyz`; None from the end of the first `apply` on."""
        return None if self._applied else "the documents of the manifests are being ingested"

    def warnings(self, manifests: Manifests) -> list[str]:
        """What models and sources need and neither the manifests nor the environment have."""
        files = (self._parts.model_files, self._parts.source_files, self._parts.vectors)
        return [sentence for each in files for sentence in each.missing(manifests)]

    async def apply(self, manifests: Manifests, *, progress: Report) -> list[Outcome]:
        """Make these manifests what is served. Returns what became of every object that took a while."""
        for kind in self._kinds:
            kind.announce(manifests)
        outcomes = [outcome for kind in self._kinds for outcome in await kind.make(manifests, progress)]
        self._applied = True
        for kind in self._kinds:
            kind.exchange(manifests)
        return outcomes
