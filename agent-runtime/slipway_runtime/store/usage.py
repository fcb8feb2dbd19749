"""What models were used for, as rows that a reporting tool can sum up (the view `usage`)."""

import functools
from collections.abc import Sequence

from slipway_runtime.events import Event, ModelUsage, Usage
from slipway_runtime.store.database import Value


def add_usage(events: Sequence[Event], *, row: str, first: int) -> tuple[str, list[Value]]:
    """A statement of a chain that stores what a row of events reports, and its parameters; empty if that is nothing.

    What a discarded step used counts as well: it was paid. What a member of an orchestrator used is stored for the
    member's run only.

    Args:
        row: the table of the chain that has the row's `run_id`, `attempt` and `number`.
        first: number of its first parameter.
    """
    used = _used(events)
    values: list[Value] = []
    for ordinal, model in enumerate(used):
        values += (
            *(ordinal, model.model, model.requests),
            *(model.input_tokens, model.output_tokens, model.cost),
        )
    return (_statement(row, first, len(used)) if used else ""), values


@functools.lru_cache(maxsize=64)
def _statement(row: str, first: int, count: int) -> str:
    kinds = ("BIGINT", "TEXT", "BIGINT", "BIGINT", "BIGINT", "TEXT")
    selects = (
        "SELECT run_id, attempt, number, "
        + ", ".join(f"CAST(${start + offset} AS {kind})" for offset, kind in enumerate(kinds))
        + f" FROM {row}"
        for start in range(first, first + count * len(kinds), len(kinds))
    )
    columns = "run_id, attempt, number, ordinal, model, requests, input_tokens, output_tokens, cost"
    return f"INSERT INTO model_usage ({columns}) {' UNION ALL '.join(selects)} RETURNING run_id"


def _used(events: Sequence[Event]) -> list[ModelUsage]:
    return [model for event in events if isinstance(event, Usage) and event.of is None for model in event.models or ()]
