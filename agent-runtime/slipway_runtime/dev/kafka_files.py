"""Passwords and certificates of brokers in the local driver: from manifests or the environment, into private files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway_crds.kafka import KafkaFile
from slipway_crds.servers import SecretKey
from slipway_crds.workflows.model import Workflow
from slipway_crds.workflows.triggers import kafka_files
from slipway_runtime.dev.manifests import Manifests, NamespacedName, key_of
from slipway_runtime.dev.model_files import Missing, replace_file, secret_value


def write(
    folder: Path, workflows: Sequence[Workflow], manifests: Manifests, environment: Mapping[str, str]
) -> dict[NamespacedName, list[str]]:
    """Make the files those of these workflows. Returns by workflow what nobody gave, as sentences with what to do."""
    missing: dict[NamespacedName, list[str]] = {}
    for workflow in workflows:
        key = key_of(workflow)
        for each in kafka_files(str(key), workflow.spec.triggers, workflow.spec.publish):
            value = _value(each, key, manifests, environment)
            if isinstance(value, Missing):
                missing.setdefault(key, []).append(value.sentence)
                (folder / each.file).unlink(missing_ok=True)
            else:
                replace_file(folder / each.file, value)
    return missing


def _value(
    file: KafkaFile, workflow: NamespacedName, manifests: Manifests, environment: Mapping[str, str]
) -> bytes | Missing:
    lacks = f"Workflow {workflow}: {file.file.removeprefix(f'{workflow}/')} has no value"
    if file.kind == "secret":
        ref = SecretKey(name=file.name, key=file.key)
        return secret_value(ref, workflow.namespace, manifests, environment, lacks=lacks)
    found = manifests.config_maps.get(NamespacedName(workflow.namespace, file.name), {}).get(file.key)
    return found or Missing(f"{lacks}: add a ConfigMap {file.name} with {file.key} to the manifests")
