"""What models were used for, as rows that a reporting tool can sum up (the view `usage`)."""

from collections.abc import Sequence

from slipway_runtime.events import Event, ModelUsage, Usage
from slipway_runtime.store.database import Database


def uses_models(events: Sequence[Event]) -> bool:
    """Whether some of the events report the use of a model by their own run."""
    return bool(_used(events))


async def add_usage(database: Database, run_id: str, attempt: int, number: int, events: Sequence[Event]) -> None:
    """Store what a row of events reports, in the transaction that stores the row.

    What a discarded step used counts as well: it was paid. What a member of an orchestrator used is stored for the
    member's run only.

    Args:
        number: of the row of events.
    """
    for ordinal, model in enumerate(_used(events)):
        await database.execute(
            "INSERT INTO model_usage (run_id, attempt, number, ordinal, model, requests, input_tokens, output_tokens, "
            "cost) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            run_id,
            attempt,
            number,
            ordinal,
            model.model,
            model.requests,
            model.input_tokens,
            model.output_tokens,
            model.cost,
        )


def _used(events: Sequence[Event]) -> list[ModelUsage]:
    return [model for event in events if isinstance(event, Usage) and event.of is None for model in event.models or ()]
