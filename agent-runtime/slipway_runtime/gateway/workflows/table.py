"""Which workflows there are, where a namespace's workers are, and how they prove themselves. It only ever gets what is
true, by whatever learns it: watches on Kubernetes, or the local driver."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from slipway_crds.contract import WORKER, key_fingerprint
from slipway_crds.fields import parse_duration
from slipway_runtime.gateway.routes import AgentKey, RouteTable, WorkflowKey

DEFAULT_TIMEOUT = "24h"
"""Of a Workflow that says nothing of it."""


@dataclass(frozen=True)
class WorkflowEntry:
    """What a gateway knows of a workflow besides who may use it."""

    description: str = ""
    seconds: float = 0.0
    """How long a run of it may take."""
    input_schema: Mapping[str, Any] | None = None
    """What a run is given; None for any object."""
    created: str = ""
    """When the Workflow was made (RFC 3339)."""
    mcp_name: str = ""
    """What its names begin with on the federated server; empty where its status does not say."""

    @classmethod
    def read(cls, spec: Mapping[str, Any], *, created: str = "", mcp_name: str = "") -> Self:
        """Of a Workflow, from its `spec` as the API server has it."""
        timeout = (spec.get("limits") or {}).get("timeout") or DEFAULT_TIMEOUT
        return cls(
            description=spec.get("description") or "",
            seconds=parse_duration(timeout).total_seconds(),
            input_schema=(spec.get("input") or {}).get("schema"),
            created=created,
            mcp_name=mcp_name,
        )


def workers_of(namespace: str) -> AgentKey:
    """The workers of a namespace, as `WorkflowTable.workers` has them."""
    return AgentKey(namespace, WORKER)


class WorkflowTable:
    """Workflows, and the workers of each namespace."""

    def __init__(self) -> None:
        self._workflows: dict[WorkflowKey, WorkflowEntry] = {}
        self._fingerprints: dict[str, frozenset[str]] = {}
        self.workers = RouteTable()
        """Ready end points of workers, by namespace: of `workers_of` it."""
        self.listed = True
        """Whether a workflow that is not here does not exist. Not so before a source has listed them."""

    def set(self, key: WorkflowKey, entry: WorkflowEntry) -> None:
        """The workflow exists."""
        self._workflows[key] = entry

    def remove(self, key: WorkflowKey) -> None:
        """The workflow is no more."""
        self._workflows.pop(key, None)

    def keep(self, keys: Collection[WorkflowKey]) -> list[WorkflowKey]:
        """Of the workflows, only these exist. Returns those that went."""
        gone = [key for key in self._workflows if key not in keys]
        for key in gone:
            self.remove(key)
        return gone

    def get(self, key: WorkflowKey) -> WorkflowEntry | None:
        """What is known of a workflow; None if there is no such workflow."""
        return self._workflows.get(key)

    def items(self) -> list[tuple[WorkflowKey, WorkflowEntry]]:
        """All workflows, sorted by namespace and name."""
        return sorted(self._workflows.items(), key=lambda each: each[0])

    def set_workers(self, namespace: str, urls: Collection[str], fingerprints: Iterable[str]) -> None:
        """These are the ready workers of a namespace, and fingerprints of the keys that they may have."""
        self.workers.set(workers_of(namespace), urls)
        self._fingerprints[namespace] = frozenset(fingerprints)

    def keep_workers(self, namespaces: Mapping[str, object]) -> None:
        """Only these namespaces have workers."""
        for namespace in [each for each in self._fingerprints if each not in namespaces]:
            del self._fingerprints[namespace]
            self.workers.remove(workers_of(namespace))

    def is_worker(self, namespace: str, key: str) -> bool:
        """Whether the workers of a namespace have this key."""
        return key_fingerprint(key) in self._fingerprints.get(namespace, ())
