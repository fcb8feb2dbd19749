"""What the audit log says that the operator wrote."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import BenchmarkFailed

OPERATOR = "system:serviceaccount:slipway-system:slipway-operator"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, order=True)
class Write:
    """A request that changed something, or tried to."""

    verb: str
    resource: str
    namespace: str
    name: str
    code: int

    @property
    def changed(self) -> bool:
        """Whether the API server did it: creating what is there already, say, changes nothing."""
        return self.code < 300


def writes(lines: Iterable[str], *, user: str = OPERATOR) -> list[Write]:
    """The writes of an account, but for its Lease's, which is its sign of life."""
    found = []
    for line in lines:
        event = json.loads(line)
        target = event.get("objectRef") or {}
        mine = event.get("user", {}).get("username") == user and event.get("stage") == "ResponseComplete"
        if mine and event["verb"] in WRITES and target.get("resource") != "leases":
            resource = "/".join(filter(None, (target.get("resource", ""), target.get("subresource", ""))))
            name, code = target.get("name", ""), event["responseStatus"]["code"]
            found.append(Write(event["verb"], resource, target.get("namespace", ""), name, code))
    return found


class AuditLog:
    """The log from a moment on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._from = path.stat().st_size

    def writes(self) -> list[Write]:
        """What the operator has written since.

        Raises:
            BenchmarkFailed: if the log was begun anew meanwhile.
        """
        with self._path.open("rb") as log:
            if log.seek(0, 2) < self._from:
                raise BenchmarkFailed(f"{self._path} was rotated during the measurement; run it again")
            log.seek(self._from)
            lines = log.read().decode().split("\n")[:-1]  # the last one may be only half there
        return writes(lines)
