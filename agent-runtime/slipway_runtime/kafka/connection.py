"""Connections to Kafka: what the client is given of a topic, and bounds on what it takes."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from slipway_crds.kafka import CA_FILE, PASSWORD_FILE, KafkaTopic

MESSAGE_BYTES = 1024 * 1024
"""Of a message that is read or written; a larger one begins no run."""
FETCH_BYTES = 8 * MESSAGE_BYTES
REQUEST_MILLISECONDS = 20_000
SESSION_MILLISECONDS = 15_000
"""After which a worker that is gone loses its partitions."""
POLL_MILLISECONDS = 300_000
"""How long one message may take, which waits for a store that is unavailable."""


class KafkaNotReady(Exception):
    """A file that a connection needs is not there yet; the text says which."""


def problem_of(error: Exception) -> str:
    """What keeps a connection from working, for a person. Of a refused login the client says that it cannot connect."""
    if isinstance(error, KafkaConnectionError):
        return f"no broker can be reached, or none takes the login or the certificate ({error})"
    return str(error) or type(error).__name__


@dataclass(frozen=True)
class KafkaConnection:
    """The way to a topic.

    Args:
        folder: where its password and certificates are, as far as it has any.
        password_file: the password's name there.
    """

    topic: KafkaTopic
    folder: Path
    password_file: str = PASSWORD_FILE

    def consumer(self, group: str) -> AIOKafkaConsumer:
        """What reads the topic as a member of a group, which commits nothing by itself. Raises KafkaNotReady."""
        return AIOKafkaConsumer(
            self.topic.topic,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=MESSAGE_BYTES,
            session_timeout_ms=SESSION_MILLISECONDS,
            max_poll_interval_ms=POLL_MILLISECONDS,
            **self._options(),
        )

    def producer(self) -> AIOKafkaProducer:
        """What writes, each message once all replicas have it. Raises KafkaNotReady."""
        return AIOKafkaProducer(
            acks="all", enable_idempotence=True, max_request_size=2 * MESSAGE_BYTES, **self._options()
        )

    def _options(self) -> dict[str, Any]:
        topic = self.topic
        options: dict[str, Any] = {
            "bootstrap_servers": list(topic.brokers),
            "client_id": "slipway",
            "request_timeout_ms": REQUEST_MILLISECONDS,
        }
        if topic.tls is not None:
            options |= {"security_protocol": "SSL", "ssl_context": self._tls()}
        if topic.sasl is not None:
            password = self._read(self.password_file).strip()
            options |= {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": topic.sasl.mechanism,
                "sasl_plain_username": topic.sasl.username,
                "sasl_plain_password": password,
            }
        return options

    def _tls(self) -> ssl.SSLContext:
        if self.topic.tls is None or self.topic.tls.ca_bundle_ref is None:
            return ssl.create_default_context()
        try:
            return ssl.create_default_context(cadata=self._read(CA_FILE))
        except ssl.SSLError as error:
            raise KafkaNotReady(f"{self.folder / CA_FILE} has no certificates: {error.reason}") from None

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text()
        except (OSError, UnicodeDecodeError):
            raise KafkaNotReady(f"{self.folder / name} is not there: see tls and sasl of the topic") from None
