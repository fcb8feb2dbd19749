"""What pods need of sentence models that users bring: volumes, and copies of folders of images."""

from collections.abc import Sequence

from slipway_crds import contract
from slipway_crds.bindings import SentenceModelSource
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.pods import CONTAINER_SECURITY, read_only

COPY = "/sentence-model"
"""Where the container that copies a model out of its image has the volume that it copies to."""
COPY_RESOURCES: JsonObject = {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}
"""A file's pages count as memory of who writes it, and are dropped before the limit is reached."""


def volumes(models: Sequence[SentenceModelSource]) -> list[JsonObject]:
    """A volume for each model."""
    return [{"name": _name(number), **_volume(model)} for number, model in enumerate(models)]


def mounts(models: Sequence[SentenceModelSource]) -> list[JsonObject]:
    """Where the container has them."""
    return [
        read_only(_name(number), f"{contract.SENTENCE_MODELS_DIR}/{model.folder}")
        for number, model in enumerate(models)
    ]


def init_containers(settings: BuildSettings, models: Sequence[SentenceModelSource]) -> list[JsonObject]:
    """What copies models out of images before the pod starts.

    Not volumes of type `image`: in Kubernetes 1.34 they are behind a feature gate.
    """
    return [
        {
            "name": f"copy-{_name(number)}",
            "image": model.image,
            "imagePullPolicy": settings.image_pull_policy,
            # Links are followed: the cache of Hugging Face consists of them.
            "command": ["cp", "-RL", f"{model.image_path}/.", COPY],
            "volumeMounts": [{"name": _name(number), "mountPath": COPY}],
            "resources": COPY_RESOURCES,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": CONTAINER_SECURITY,
        }
        for number, model in enumerate(models)
        if model.image is not None
    ]


def _name(number: int) -> str:
    return f"sentence-model-{number}"


def _volume(model: SentenceModelSource) -> JsonObject:
    if model.claim is not None:
        return {"persistentVolumeClaim": {"claimName": model.claim, "readOnly": True}}
    return {"emptyDir": {}}
