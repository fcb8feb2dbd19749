"""Answers of an agent, written to a topic of Kafka: each at least once, with the run's id as key."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from slipway_runtime.kafka.connection import MESSAGE_BYTES, KafkaConnection
from slipway_runtime.kafka.outbox import CLAIM_SECONDS, KafkaOutbox
from slipway_runtime.store.answers import UnwrittenAnswer, claim_answers, mark_written, release_answers
from slipway_runtime.store.database import Database

ANSWERS_AT_ONCE = 50


class AnswerWriter(KafkaOutbox):
    """Writes what was answered and committed.

    Args:
        agent: `namespace/name`.
    """

    def __init__(self, agent: str, connection: KafkaConnection, database: Database) -> None:
        super().__init__(f"answers of {agent}", connection, database)
        self._agent = agent

    async def look(self, producer: AIOKafkaProducer) -> int:
        """Write the oldest answers that are not written. Returns how many."""
        claimed = await claim_answers(self._database, self._agent, seconds=CLAIM_SECONDS, limit=ANSWERS_AT_ONCE)
        if not claimed:
            return 0
        topic = self._connection.topic.topic
        try:
            sent = [await producer.send(topic, message_of(each), key=each.run_id.encode()) for each in claimed]
            await asyncio.gather(*sent)
        except KafkaError:
            await release_answers(self._database, claimed)
            raise
        await mark_written(self._database, claimed)
        return len(claimed)


def message_of(answer: UnwrittenAnswer) -> bytes:
    """An answer as JSON. One that is too large for a message is written without its content: the run has it."""
    about: Mapping[str, Any] = {
        "run_id": answer.run_id,
        "agent": answer.agent,
        "revision": answer.revision,
        "session_id": answer.session_id,
        "caller": answer.caller,
        "created": answer.created,
        "ended": answer.ended,
    }
    whole = orjson.dumps({**about, "question": answer.question, "result": answer.result})
    return whole if len(whole) <= MESSAGE_BYTES else orjson.dumps({**about, "truncated": True})
