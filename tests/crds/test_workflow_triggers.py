"""What of a Workflow's triggers no schema says, and the files that workers have for Kafka."""

from typing import Any

import pytest

from slipway_crds.kafka import KafkaFile, ports_of
from slipway_crds.validate import parse, validate_documents
from slipway_crds.workflows.model import Workflow
from slipway_crds.workflows.triggers import kafka_files, kafka_topics

KAFKA: dict[str, Any] = {"brokers": ["a.kafka:9093", "b.kafka:9094"], "topic": "orders"}
SECURE = {
    **KAFKA,
    "tls": {"caBundleRef": {"name": "authorities", "key": "kafka.pem"}},
    "sasl": {"username": "me", "passwordRef": {"name": "login", "key": "password"}},
}


def workflow(**spec: Any) -> dict[str, Any]:
    steps = [{"name": "nap", "wait": {"duration": "5s"}}]
    metadata = {"name": "flow", "namespace": "demo"}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata,
        "spec": {"steps": steps, **spec},
    }


@pytest.mark.parametrize(
    ("trigger", "path", "said"),
    [
        ({"schedule": {"cron": "0 6 31 2 *"}}, "schedule", "Bad day-of-month"),
        ({"schedule": {"cron": "0 6 * * *", "timeZone": "Mars/Olympus"}}, "schedule", "no time zone"),
        ({"schedule": {"cron": "0 6 * * *"}, "input": {"a": "${time +}"}}, "input", "is no CEL"),
        ({"kafka": {**KAFKA, "deduplicateBy": "message."}}, "kafka.deduplicateBy", "is no CEL"),
        ({"kafka": KAFKA, "input": {"a": "${steps.nap}"}}, "input", "reads steps.nap"),
    ],
)
def test_a_trigger_that_only_an_edit_makes_right(trigger: dict[str, Any], path: str, said: str) -> None:
    (found,) = validate_documents([workflow(triggers=[{"name": "one", **trigger}])])
    assert found.problem.path == f"spec.triggers[0].{path}"
    assert said in str(found.problem)
    assert not found.problem.waiting


def test_the_files_of_a_worker_for_kafka() -> None:
    made = parse(workflow(triggers=[{"name": "orders", "kafka": SECURE}], publish={"kafka": KAFKA}))
    assert isinstance(made, Workflow)
    assert kafka_files("demo/flow", made.spec.triggers, made.spec.publish) == [
        KafkaFile("configMap", "authorities", "kafka.pem", "demo/flow/orders/ca.crt"),
        KafkaFile("secret", "login", "password", "demo/flow/orders/password"),
    ]
    topics = dict(kafka_topics(made.spec.triggers, made.spec.publish))
    assert ports_of(list(topics.values())) == [9093, 9094]
