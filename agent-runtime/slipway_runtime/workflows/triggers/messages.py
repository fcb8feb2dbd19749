"""A message of Kafka as what a run is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from slipway_crds.workflows.triggers import Trigger
from slipway_runtime.kafka.connection import MESSAGE_BYTES
from slipway_runtime.workflows.expressions import ExpressionFailed, evaluate, fill
from slipway_runtime.workflows.records import NewWorkflowRun
from slipway_runtime.workflows.triggers.starting import run_for


class Poison(Exception):
    """A message that can begin no run, however often it is read. `reason` is a stable word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class KafkaMessage:
    """What is read of a message."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()

    @property
    def place(self) -> str:
        """What no other message has."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def seen(self) -> Mapping[str, Any]:
        """What expressions see as `message`.

        Raises:
            Poison: for a value that is no JSON, or too large.
        """
        if len(self.value or b"") > MESSAGE_BYTES:
            raise Poison("MessageTooLarge", f"the message has more than {MESSAGE_BYTES // 1024} KiB")
        try:
            value = orjson.loads(self.value or b"null")
        except orjson.JSONDecodeError as error:
            raise Poison("InvalidJson", f"the value is no JSON: {error}") from None
        return {
            "value": value,
            "key": _text(self.key),
            "headers": {name: _text(content) for name, content in self.headers},
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
        }


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")


def run_of(workflow: str, trigger: Trigger, message: KafkaMessage) -> NewWorkflowRun:
    """The run that a message begins.

    Raises:
        Poison: if it begins none.
    """
    assert trigger.kafka is not None
    seen = {"message": message.seen()}
    try:
        given = seen["message"]["value"] if trigger.input is None else fill(trigger.input, seen)
        same = trigger.kafka.deduplicate_by
        name = f"message/{message.place}" if same is None else f"value/{_key(evaluate(same, seen))}"
    except ExpressionFailed as error:
        raise Poison("ExpressionFailed", str(error)) from None
    if not isinstance(given, Mapping):
        raise Poison("InvalidInput", "the value is no object: say in the trigger's input what a run is given")
    return run_for(workflow, trigger.name, given, by="kafka", key=name)


def _key(value: Any) -> str:
    if value is None or value == "":
        raise ExpressionFailed("deduplicateBy is empty for this message")
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
