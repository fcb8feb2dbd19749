"""The workers of a namespace, which all of its Workflows share: definitions, Deployment, Service and what is around."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from slipway_crds import contract
from slipway_crds.identity import CONFIG_MAP as IDENTITY_CONFIG_MAP
from slipway_crds.kafka import KafkaTopic, files_of, ports_of, topic_folder
from slipway_crds.meta import COMPONENT_LABEL
from slipway_crds.workflows.kind import WORKFLOW
from slipway_crds.workflows.model import Workflow
from slipway_crds.workflows.triggers import kafka_topics
from slipway_operator.core import host_tls, policies
from slipway_operator.core.inputs import BuildSettings, Owners, child, labels, service_account
from slipway_operator.core.manifests import JsonObject, Manifest, OwnerReference
from slipway_operator.core.objects import CONFIG_MAP, DEPLOYMENT, POD_DISRUPTION_BUDGET, SECRET, SERVICE
from slipway_operator.core.pods import container, http_probe, pod_spec, pod_template, read_only, resources

COMPONENT = WORKFLOW.shares
OWNER_AND_GROUP = 0o440
GRACE_SECONDS = 60
"""More than a worker takes to let its runs come to a place where another one can go on."""
RESOURCES = {"requests": {"cpu": "50m", "memory": "160Mi"}, "limits": {"memory": "512Mi"}}
DEFINITION_SUFFIX = ".json"


@dataclass(frozen=True, kw_only=True)
class WorkerKeys:
    """What a namespace's workers prove themselves with, without the keys."""

    secret: str
    """Name of the Secret."""
    fingerprint: str
    former: str = ""
    """Fingerprint of the key before, while pods have it; empty otherwise."""


@dataclass(frozen=True, kw_only=True)
class WorkerParts:
    """What the workers of a namespace are made of."""

    owners: Owners
    definitions: Mapping[str, str]
    """Text of each Workflow's file, by the Workflow's name."""
    workflows: Sequence[Workflow]
    """Those whose topics of Kafka the workers read and write."""
    store_secret: str
    store_schema: str
    keys: WorkerKeys


def secret_name(fingerprint: str) -> str:
    """Name of the Secret with a key."""
    return f"{contract.WORKER}-{fingerprint}"


def worker_secret(owners: Owners, config_map_uid: str, key: str) -> Manifest:
    """The Secret with the workers' key. It goes with the ConfigMap, which the operator may delete."""
    owner: OwnerReference = {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "name": contract.WORKER,
        "uid": config_map_uid,
        "controller": False,
        "blockOwnerDeletion": False,
    }
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {
            "name": secret_name(contract.key_fingerprint(key)),
            "namespace": owners.namespace,
            "labels": labels(COMPONENT, {}),
            "ownerReferences": [owner],
        },
        "type": "Opaque",
        "stringData": {contract.WORKER_KEY: key},
    }


def worker_objects(settings: BuildSettings, parts: WorkerParts) -> list[Manifest]:
    """Everything but the Secret."""
    own = labels(COMPONENT, {})
    return [
        service_account(contract.WORKER, parts.owners, own),
        _definitions(parts),
        _service(settings, parts),
        _disruption_budget(parts),
        *([_network_policy(settings, parts)] if settings.network_policies else []),
        _deployment(settings, parts),
    ]


def _pod_labels(interpreter: int = contract.INTERPRETER) -> dict[str, str]:
    return labels(COMPONENT, {contract.INTERPRETER_LABEL: str(interpreter)})


def _definitions(parts: WorkerParts) -> Manifest:
    config_map = child(CONFIG_MAP, contract.WORKER, parts.owners, labels(COMPONENT, {}))
    config_map["data"] = {f"{name}{DEFINITION_SUFFIX}": text for name, text in sorted(parts.definitions.items())}
    return config_map


def _service(settings: BuildSettings, parts: WorkerParts) -> Manifest:
    known = {contract.WORKER_KEY_LABEL: parts.keys.fingerprint}
    if parts.keys.former:
        known[contract.FORMER_KEY_LABEL] = parts.keys.former
    service = child(SERVICE, contract.WORKER, parts.owners, labels(COMPONENT, known))
    service["spec"] = {
        "type": "ClusterIP",
        # Only the newest interpreter's: every worker answers for all runs, and older ones do what they have begun.
        "selector": _pod_labels(),
        "ports": host_tls.service_ports(settings),
    }
    return service


def _disruption_budget(parts: WorkerParts) -> Manifest:
    budget = child(POD_DISRUPTION_BUDGET, contract.WORKER, parts.owners, labels(COMPONENT, {}))
    budget["spec"] = {"maxUnavailable": 1, "selector": {"matchLabels": {COMPONENT_LABEL: COMPONENT}}}
    return budget


def _network_policy(settings: BuildSettings, parts: WorkerParts) -> Manifest:
    """In from the gateway and the operator; out to names, the store, the gateway and brokers of Kafka."""
    topics = [topic for _, _, topic in _topics(parts.workflows)]
    return policies.network_policy(
        contract.WORKER,
        parts.owners,
        labels(COMPONENT, {}),
        selector={COMPONENT_LABEL: COMPONENT},
        ingress=[
            *host_tls.ingress(settings),
            policies.from_metrics(),
        ],
        egress=[
            policies.to_dns(),
            *policies.to_platform(settings),
            policies.to_gateway(settings),
            *(policies.to_anywhere(port) for port in ports_of(topics)),
        ],
    )


def _deployment(settings: BuildSettings, parts: WorkerParts) -> Manifest:
    name = contract.worker_deployment(contract.INTERPRETER)
    deployment = child(DEPLOYMENT, name, parts.owners, _pod_labels())
    deployment["spec"] = {
        "revisionHistoryLimit": 1,
        "progressDeadlineSeconds": settings.rollout_deadline,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": _pod_labels()},
        "template": pod_template(_pod_labels(), _pod(settings, parts), None),
    }
    return deployment


def _pod(settings: BuildSettings, parts: WorkerParts) -> JsonObject:
    kafka = list(_kafka_sources(parts.workflows))
    secrets: JsonObject = {"name": "kafka", "projected": {"defaultMode": OWNER_AND_GROUP, "sources": kafka}}
    worker = container(
        settings,
        name=COMPONENT,
        image=settings.runtime_image,
        ports={
            contract.HTTP_PORT_NAME: contract.HTTP_PORT,
            **host_tls.container_ports(settings),
            "metrics": contract.METRICS_PORT,
        },
        env=_environment(settings, parts),
        mounts=[
            read_only("workflows", contract.WORKFLOWS_DIR),
            read_only("store", contract.STORE_DIR),
            read_only("identity", contract.IDENTITY_DIR),
            read_only("key", contract.WORKER_KEY_DIR),
            *([read_only("kafka", contract.KAFKA_DIR)] if kafka else []),
            *host_tls.mounts(settings),
        ],
        resources=resources(settings.worker_resources or RESOURCES, None),
        more={
            "args": [contract.WORKER_COMMAND],
            "startupProbe": http_probe(contract.LIVEZ, period=1, failures=120),
            "livenessProbe": http_probe(contract.LIVEZ, period=10, failures=6),
            "readinessProbe": http_probe(contract.READYZ, period=2, failures=3),
        },
    )
    spec = pod_spec(
        settings,
        service_account=contract.WORKER,
        container=worker,
        volumes=[
            # Refreshed while pods run: another definition rolls nothing.
            {"name": "workflows", "configMap": {"name": contract.WORKER}},
            {"name": "store", "secret": {"secretName": parts.store_secret}},
            {"name": "identity", "configMap": {"name": IDENTITY_CONFIG_MAP}},
            {"name": "key", "secret": {"secretName": parts.keys.secret, "defaultMode": OWNER_AND_GROUP}},
            *([secrets] if kafka else []),
            *host_tls.volumes(settings),
        ],
        pod=None,
        apart={COMPONENT_LABEL: COMPONENT},
    )
    spec["terminationGracePeriodSeconds"] = GRACE_SECONDS
    return spec


def _environment(settings: BuildSettings, parts: WorkerParts) -> list[JsonObject]:
    return [
        {"name": "SLIPWAY_GATEWAY_URL", "value": settings.gateway_url},
        {"name": "SLIPWAY_IDENTITY_ANCHOR", "value": settings.identity_anchor},
        {"name": "SLIPWAY_ENGINE_SCHEMA", "value": contract.engine_schema(parts.store_schema)},
        # The pod's UID and not its name, since runs are taken over from a worker that is gone for good.
        {"name": "SLIPWAY_WORKER_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        *host_tls.environment(settings),
    ]


def _topics(workflows: Sequence[Workflow]) -> Iterator[tuple[str, str, KafkaTopic]]:
    """The workflow as `namespace/name`, the topic's name within it, and the topic."""
    for workflow in workflows:
        for name, topic in kafka_topics(workflow.spec.triggers, workflow.spec.publish):
            yield f"{workflow.metadata.namespace}/{workflow.metadata.name}", name, topic


def _kafka_sources(workflows: Sequence[Workflow]) -> Iterator[JsonObject]:
    """Optional, so that the worker starts and says itself what is missing."""
    for workflow, name, topic in _topics(workflows):
        for each in files_of(topic, topic_folder(workflow, name)):
            yield {each.kind: {"name": each.name, "optional": True, "items": [{"key": each.key, "path": each.file}]}}
