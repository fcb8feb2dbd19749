"""Topics of Kafka that kinds read and write, and where a worker has the secrets for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from slipway_crds.fields import ATOMIC, BROKER_PATTERN, TOPIC_PATTERN, SpecModel, same
from slipway_crds.rules import only_with
from slipway_crds.servers import ConfigMapKey, SecretKey

CA_FILE = "ca.crt"
PASSWORD_FILE = "password"

Topic = Annotated[str, Field(min_length=1, max_length=249, pattern=TOPIC_PATTERN)]
Brokers = Annotated[
    list[Annotated[str, Field(min_length=3, max_length=260, pattern=BROKER_PATTERN)]],
    Field(min_length=1, max_length=16),
    ATOMIC,
]


class KafkaTls(SpecModel):
    """How brokers are checked."""

    local = same("The same certificates are used.")

    ca_bundle_ref: ConfigMapKey | None = None
    """PEM certificates of the authorities that sign the brokers', instead of the ordinary ones."""


class KafkaLogin(SpecModel):
    """How Slipway signs in to brokers (SASL)."""

    local = same("The same login is used.")

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How the password is proven."""
    username: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the user."""
    password_ref: SecretKey
    """The password. It is read again when it changes."""


class KafkaTopic(SpecModel):
    """A topic of Kafka, and how its brokers are reached."""

    local = same("The same brokers are used.")
    rules = (only_with("sasl", "tls", "needs tls: a password is not sent in the clear"),)

    brokers: Brokers
    """Addresses of some of the brokers, as `host:port`."""
    topic: Topic
    """Name of the topic."""
    tls: KafkaTls | None = None
    """How brokers are checked; without TLS if not given."""
    sasl: KafkaLogin | None = None
    """How Slipway signs in; without a login if not given."""


@dataclass(frozen=True)
class KafkaFile:
    """A file of a worker, below the folder of all of them, and what it is a key of: a `secret` or a `configMap`."""

    kind: Literal["secret", "configMap"]
    name: str
    key: str
    file: str


def topic_folder(workflow: str, topic: str) -> str:
    """Folder of a topic's files, below that of all topics.

    Args:
        workflow: `namespace/name`.
        topic: its name in `kafka_topics`.
    """
    return f"{workflow}/{topic}"


def files_of(topic: KafkaTopic, folder: str) -> Iterator[KafkaFile]:
    """What a worker needs for a topic, in a folder of its own."""
    if topic.tls is not None and (bundle := topic.tls.ca_bundle_ref):
        yield KafkaFile("configMap", bundle.name, bundle.key, f"{folder}/{CA_FILE}")
    if topic.sasl is not None:
        ref = topic.sasl.password_ref
        yield KafkaFile("secret", ref.name, ref.key, f"{folder}/{PASSWORD_FILE}")


def ports_of(topics: Sequence[KafkaTopic]) -> list[int]:
    """The ports of brokers, sorted: what a NetworkPolicy lets workers reach."""
    return sorted({int(broker.rpartition(":")[2]) for topic in topics for broker in topic.brokers})
