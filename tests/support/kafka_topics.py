"""Reading and writing a topic of a test's own, by the client that everybody uses."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from tests.support.waiting import until_async


def new_topic(name: str) -> str:
    """A name that no other test has. The broker makes a topic when it is first used."""
    return f"{name}-{secrets.token_hex(4)}"


async def write(brokers: str, topic: str, *values: bytes | Any, key: bytes | None = None) -> None:
    """Write messages, in order, to one partition; what is not bytes as JSON."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    try:
        for value in values:
            content = value if isinstance(value, bytes) else orjson.dumps(value)
            await producer.send_and_wait(topic, content, key=key, partition=0)
    finally:
        await producer.stop()


@asynccontextmanager
async def reading(brokers: str, topic: str) -> AsyncIterator[Callable[[int], Any]]:
    """A function that waits until so many messages have come, and returns all."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    found: list[ConsumerRecord] = []

    async def wait(count: int) -> Sequence[ConsumerRecord]:
        async def there() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(records)
            return len(found) >= count

        await until_async(there, f"{count} messages in {topic}")
        return found

    try:
        yield wait
    finally:
        await consumer.stop()
