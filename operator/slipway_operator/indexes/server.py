"""A VectorIndex's server: one Chroma pod with a volume, reachable only by the pods that read or fill it."""

from typing import Literal

from slipway_crds import contract
from slipway_crds.indexes.model import Chroma
from slipway_crds.meta import INDEX_LABEL
from slipway_crds.podsettings import PodSettings
from slipway_operator.core import policies
from slipway_operator.core.inputs import BuildSettings, Owner, child, labels, service_account
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import SERVICE, STATEFUL_SET
from slipway_operator.core.pods import container, http_probe, pod_spec, pod_template, resources
from slipway_operator.core.policies import reads_labels

COMPONENT = "index"
DATA_VOLUME = "data"


def index_objects(
    owner: Owner,
    settings: BuildSettings,
    chroma: Chroma,
    *,
    deletion_policy: Literal["Retain", "Delete"],
    pod: PodSettings | None,
) -> list[Manifest]:
    """The server. `deletion_policy` decides whether the volume goes with the index."""
    return [
        _service(owner),
        *([_network_policy(owner, settings)] if settings.network_policies else []),
        _stateful_set(owner, settings, chroma, deletion_policy, pod),
    ]


def index_account(owner: Owner) -> Manifest:
    """What the pods of an index run as, its server's and those of its ingestions."""
    return service_account(child_name(owner.name), owner, _labels(owner))


def child_name(index: str) -> str:
    """Name of the objects that an index has once."""
    return contract.index_server(index)


def _labels(owner: Owner) -> dict[str, str]:
    return labels(COMPONENT, {INDEX_LABEL: owner.name})


def _service(owner: Owner) -> Manifest:
    service = child(SERVICE, child_name(owner.name), owner, _labels(owner))
    service["spec"] = {
        "type": "ClusterIP",
        "selector": _labels(owner),
        "ports": [{"name": "http", "port": contract.CHROMA_PORT, "protocol": "TCP", "targetPort": "http"}],
    }
    return service


def _network_policy(owner: Owner, settings: BuildSettings) -> Manifest:
    return policies.network_policy(
        child_name(owner.name),
        owner,
        _labels(owner),
        selector=_labels(owner),
        # Chroma has no authentication. The operator counts the vectors.
        ingress=[
            policies.from_pods(reads_labels(owner.name), port=contract.CHROMA_PORT),
            policies.from_release(settings, "operator", port=contract.CHROMA_PORT),
        ],
        egress=[],
    )


def _stateful_set(
    owner: Owner,
    settings: BuildSettings,
    chroma: Chroma,
    deletion_policy: Literal["Retain", "Delete"],
    pod: PodSettings | None,
) -> Manifest:
    stateful_set = child(STATEFUL_SET, child_name(owner.name), owner, _labels(owner))
    stateful_set["spec"] = {
        "serviceName": child_name(owner.name),
        "revisionHistoryLimit": 1,
        "selector": {"matchLabels": _labels(owner)},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": deletion_policy, "whenScaled": "Retain"},
        "template": pod_template(_labels(owner), _chroma_pod(owner, settings, pod), pod),
        "volumeClaimTemplates": [_claim(chroma)],
    }
    return stateful_set


def _chroma_pod(owner: Owner, settings: BuildSettings, pod: PodSettings | None) -> JsonObject:
    server = container(
        settings,
        name="chroma",
        image=settings.chroma_image,
        ports={"http": contract.CHROMA_PORT},
        mounts=[{"name": DATA_VOLUME, "mountPath": "/data"}],
        resources=resources(settings.index_resources, pod),
        more={
            "startupProbe": http_probe("/api/v2/heartbeat", period=1, failures=120),
            "livenessProbe": http_probe("/api/v2/heartbeat", period=10, failures=6),
            "readinessProbe": http_probe("/api/v2/heartbeat", period=3, failures=3),
        },
    )
    return pod_spec(settings, service_account=child_name(owner.name), container=server, volumes=[], pod=pod)


def _claim(chroma: Chroma) -> JsonObject:
    spec: JsonObject = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": chroma.storage}},
    }
    if chroma.storage_class_name is not None:
        spec["storageClassName"] = chroma.storage_class_name
    return {"metadata": {"name": DATA_VOLUME}, "spec": spec}
