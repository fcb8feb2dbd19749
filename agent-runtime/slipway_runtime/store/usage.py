"""What models were used for, as rows that a reporting tool can sum up (the view `usage`)."""

from collections.abc import Sequence

from slipway_runtime.events import Event, Usage
from slipway_runtime.store.database import Database


def uses_models(events: Sequence[Event]) -> bool:
    """Whether some of the events report the use of a model."""
    return any(isinstance(event, Usage) and event.models for event in events)


async def add_usage(database: Database, run_id: str, attempt: int, number: int, events: Sequence[Event]) -> None:
    """Store what a row of events reports, in the transaction that stores the row.

    What a discarded step used counts as well: it was paid.

    Args:
        number: of the row of events.
    """
    used = [model for event in events if isinstance(event, Usage) for model in event.models or ()]
    for ordinal, model in enumerate(used):
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
