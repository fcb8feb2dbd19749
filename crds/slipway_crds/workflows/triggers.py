"""What begins runs of a Workflow by itself: a schedule, or messages of Kafka. Runs by HTTP need none."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field

from slipway_crds.fields import CRON_PATTERN, TOPIC_PATTERN, ZONE_PATTERN, Name, SpecModel, same
from slipway_crds.kafka import KafkaFile, KafkaTopic, Topic, files_of
from slipway_crds.rules import exactly_one


class ScheduleTrigger(SpecModel):
    """Times at which a run begins. One that nobody was there for is made up for once."""

    local = same("The same times count while `slipway dev` runs.")

    cron: Annotated[str, Field(min_length=9, max_length=100, pattern=CRON_PATTERN)]
    """The times: minute, hour, day of the month, month and day of the week, like `30 6 * * 1-5`."""
    time_zone: Annotated[str, Field(min_length=3, max_length=64, pattern=ZONE_PATTERN)] = "UTC"
    """The time zone, by its name in the IANA database, like `Europe/Berlin`."""


class KafkaTrigger(KafkaTopic):
    """A topic each of whose messages begins a run."""

    group: Annotated[str | None, Field(min_length=1, max_length=200, pattern=TOPIC_PATTERN)] = None
    """The consumer group; `slipway.NAMESPACE.WORKFLOW.TRIGGER` if not given. It begins at the oldest message."""
    deduplicate_by: Annotated[str | None, Field(min_length=1, max_length=2048)] = None
    """What tells messages apart, as an expression of CEL over `message`, like `message.value.order_id`. Of those with
    the same value only the first begins a run. Topic, partition and offset if not given."""
    dead_letter_topic: Topic | None = None
    """Where messages go that begin no run, with the reason as a header. Without it they are recorded and skipped."""


class Trigger(SpecModel):
    """What begins a run: exactly one of `schedule` and `kafka`."""

    local = same("The same runs begin.")
    rules = (exactly_one(["schedule", "kafka"]),)

    name: Name
    """Name of the trigger, unique within the list."""
    schedule: ScheduleTrigger | None = None
    """Times at which a run begins."""
    kafka: KafkaTrigger | None = None
    """A topic each of whose messages begins a run."""
    input: Annotated[dict[str, Any] | None, Field(max_length=64)] = None
    """What the run is given. Texts in it may hold `${...}` with `message` (`value`, `key`, `headers`, `topic`,
    `partition`, `offset`), or with `time` of a schedule. Without it: the message's value, or nothing."""


class Publishing(SpecModel):
    """Where what happens in runs is written to."""

    local = same("The same events are written.")

    kafka: KafkaTopic
    """A topic that gets each event of each run at least once, with the run's id as key."""


def kafka_files(workflow: str, triggers: Sequence[Trigger], publish: Publishing | None) -> list[KafkaFile]:
    """The files that workers need for a Workflow, `namespace/name`, below `contract.KAFKA_DIR`."""
    return [file for name, topic in kafka_topics(triggers, publish) for file in files_of(topic, f"{workflow}/{name}")]


def kafka_topics(triggers: Sequence[Trigger], publish: Publishing | None) -> Iterator[tuple[str, KafkaTopic]]:
    """The topics of a Workflow, by the name of the folder with their secrets in the Workflow's folder."""
    for trigger in triggers:
        if trigger.kafka is not None:
            yield trigger.name, trigger.kafka
    if publish is not None:
        yield PUBLISH_FOLDER, publish.kafka


PUBLISH_FOLDER = "_publish"
"""No trigger has this name."""
