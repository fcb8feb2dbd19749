"""How a workflow's runs do, as a worker says it at `/status/NAME` and the operator reads it, and what a worker is
started with besides: both packages meet here."""

import hashlib
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field

from slipway_crds.workflows.model import LAST_RUNS, LastRun, Workflow

REPORT_BYTES = 16 * 1024
"""What the operator reads of a report."""
Count = Annotated[int, Field(ge=0, le=10**9)]


class WorkerReport(BaseModel):
    """The worker, and the runs of one workflow. A report of another version may have more fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    interpreter: int
    digest: str = ""
    """`definition_digest` of what the worker has of the workflow; empty if it has nothing."""
    problem: Annotated[str, Field(max_length=1000)] = ""
    """Why runs cannot begin, or a trigger does not work, in a sentence for a person."""
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Runs that one worker works on at a time."""
    queued: Count = 0
    """Runs of the namespace that wait for a worker."""
    running: Count = 0
    """Runs of the namespace that a worker works on."""
    unfinished: dict[str, Count] = {}
    """Runs of the namespace that have not ended, by the number of their interpreter."""
    last_runs: Annotated[tuple[LastRun, ...], Field(max_length=LAST_RUNS)] = ()
    """Of the workflow, the newest first."""
    success_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of the workflow's runs that ended in the last day, the share that succeeded; None where none did."""
    next_schedule: Annotated[str, Field(max_length=40)] | None = None
    """When the workflow's next run is due (RFC 3339)."""
    needs_attention: Count = 0
    """Runs of the workflow that wait until a person has settled a step."""


def definition_text(workflow: Workflow) -> str:
    """What a worker has in the file of a workflow: its name and its spec, written in one way only."""
    spec = workflow.spec.model_dump(mode="json", by_alias=True)
    metadata = {"name": workflow.metadata.name, "namespace": workflow.metadata.namespace}
    content = {"kind": "Workflow", "metadata": metadata, "spec": spec}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def definition_digest(text: str) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a definition's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
