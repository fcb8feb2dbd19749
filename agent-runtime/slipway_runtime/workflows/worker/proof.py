"""By what a worker proves to the gateway for whom it calls agents."""

from collections.abc import Callable, Mapping
from pathlib import Path

from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.statements import STATEMENT_HEADER, WORKER_KEY_HEADER, WORKFLOW_HEADER
from slipway_runtime.workflows.records import WorkflowRun
from slipway_runtime.workflows.steps.failures import TryFailed


def proof(key: Callable[[], str]) -> Callable[[WorkflowRun], Mapping[str, str]]:
    """What is sent along for a run.

    Args:
        key: gives the key of the namespace's workers.
    """

    def headers(run: WorkflowRun) -> Mapping[str, str]:
        sent = {WORKER_KEY_HEADER: key(), WORKFLOW_HEADER: run.workflow, RUN_HEADER: run.id}
        return sent | ({STATEMENT_HEADER: run.statement} if run.statement else {})

    return headers


def key_in(path: Path) -> Callable[[], str]:
    """The key in a file, which is read for each call, so that a new one works at once."""

    def read() -> str:
        try:
            return path.read_text().strip()
        except OSError as error:
            message = f"the worker's key cannot be read: {error.strerror}. The operator makes its Secret"
            raise TryFailed("WorkerKeyMissing", message, known=False) from None

    return read
