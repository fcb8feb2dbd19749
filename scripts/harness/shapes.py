"""Shapes of the entities for which Harness publishes no schema, closed: an unknown key is refused.

They hold what our files use and no more; a key that Harness knows and these models do not is added here first. The
names were taken from Harness's own examples (harness-community/harnesscd-example-apps) and documentation.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from scripts.harness import cron
from scripts.harness.closed import Closed, Identifier, Text, complaints
from scripts.harness.folder import Entity
from scripts.harness.problems import Problem

Tag = Literal["<+pipeline.variables.image_tag>"]
"""The release: what is deployed is what was scanned and signed."""


class Named(Closed):
    """What every entity says of itself."""

    name: Text
    identifier: Identifier
    org_identifier: Identifier
    project_identifier: Identifier
    tags: dict[str, str] = Field(default_factory=dict)
    description: str = ""


class Variable(Closed):
    name: Text
    type: Literal["String", "Number", "Secret"]
    value: Text
    description: str = ""


class GithubStore(Closed):
    connector_ref: Text
    repo_name: Text
    git_fetch_type: Literal["Branch", "Commit"]
    branch: Text | None = None
    commit_id: Text | None = None
    paths: list[Text]


class OciConfig(Closed):
    type: Literal["Generic"]
    spec: dict[Literal["connectorRef"], Text]


class OciStore(Closed):
    config: OciConfig
    base_path: Text


class Github(Closed):
    type: Literal["Github"]
    spec: GithubStore


class Oci(Closed):
    type: Literal["OciHelmChart"]
    spec: OciStore


class HelmFlag(Closed):
    command_type: Literal["Template"]
    flag: Text


class ChartSpec(Closed):
    store: Oci
    chart_name: Text
    chart_version: Tag
    helm_version: Literal["V3", "V380", "V4"]
    skip_resource_versioning: bool
    enable_declarative_rollback: bool
    command_flags: list[HelmFlag] = Field(default_factory=list)


class FilesSpec(Closed):
    store: Github
    skip_resource_versioning: bool = False
    enable_declarative_rollback: bool = False


class StoreSpec(Closed):
    store: Github


class ChartManifest(Closed):
    identifier: Identifier
    type: Literal["HelmChart"]
    spec: ChartSpec


class FilesManifest(Closed):
    identifier: Identifier
    type: Literal["K8sManifest"]
    spec: FilesSpec


class StoreManifest(Closed):
    identifier: Identifier
    type: Literal["Values", "ReleaseRepo", "DeploymentRepo"]
    spec: StoreSpec


class ManifestEntry(Closed):
    manifest: Annotated[ChartManifest | FilesManifest | StoreManifest, Field(discriminator="type")]


class ImageSpec(Closed):
    connector_ref: Text
    image_path: Annotated[str, Field(pattern=r"^<\+pipeline\.variables\.image_registry>/\w+$")]
    tag: Tag


class ImageSource(Closed):
    identifier: Identifier
    type: Literal["DockerRegistry"]
    spec: ImageSpec


class PrimaryArtifact(Closed):
    primary_artifact_ref: Text
    sources: Annotated[list[ImageSource], Field(min_length=1)]


class Artifacts(Closed):
    primary: PrimaryArtifact


class ServiceSpec(Closed):
    artifacts: Artifacts | None = None
    manifest_configurations: dict[Literal["primaryManifestRef"], Text] = Field(default_factory=dict)
    manifests: Annotated[list[ManifestEntry], Field(min_length=1)]
    variables: list[Variable] = Field(default_factory=list)


class ServiceDefinition(Closed):
    type: Literal["Kubernetes"]
    spec: ServiceSpec


class Service(Named):
    git_ops_enabled: bool
    service_definition: ServiceDefinition


class Environment(Named):
    type: Literal["PreProduction", "Production"]
    variables: list[Variable] = Field(default_factory=list)


class ClusterSpec(Closed):
    connector_ref: Text
    namespace: Text
    release_name: Text


class Infrastructure(Named):
    environment_ref: Identifier
    deployment_type: Literal["Kubernetes"]
    type: Literal["KubernetesDirect"]
    spec: ClusterSpec
    allow_simultaneous_deployments: bool


class OverrideSpec(Closed):
    variables: Annotated[list[Variable], Field(min_length=1)]


class Overrides(Closed):
    """Overrides V2."""

    identifier: Identifier
    org_identifier: Identifier
    project_identifier: Identifier
    type: Literal["ENV_GLOBAL_OVERRIDE", "ENV_SERVICE_OVERRIDE"]
    environment_ref: Identifier
    service_ref: Identifier | None = None
    spec: OverrideSpec


class Filled(BaseModel):
    """What an input set fills. All but the name is compared with the pipeline's inputs, in `templates`."""

    model_config = ConfigDict(extra="allow", strict=True)

    identifier: Identifier


class InputSet(Named):
    pipeline: Filled


class Overlay(Named):
    pipeline_identifier: Identifier
    input_set_references: Annotated[list[Identifier], Field(min_length=1)]


class Template(Named):
    version_label: Text
    type: Literal["Step", "Stage"]
    spec: dict[str, Any]
    """Checked where it is used, within a pipeline."""


class Condition(Closed):
    key: Literal["targetBranch", "sourceBranch", "changedFiles"]
    operator: Literal["Equals", "NotEquals", "In", "NotIn", "StartsWith", "EndsWith", "Contains", "Regex"]
    value: Text


class GithubEvent(Closed):
    connector_ref: Text
    auto_abort_previous_executions: bool
    payload_conditions: list[Condition]
    header_conditions: list[Condition]
    actions: list[Literal["Open", "Reopen", "Synchronize", "Close", "Edit", "Label", "Unlabel"]]


class GithubEvents(Closed):
    type: Literal["PullRequest", "Push"]
    spec: GithubEvent


class GithubWebhook(Closed):
    type: Literal["Github"]
    spec: GithubEvents


class Webhook(Closed):
    type: Literal["Webhook"]
    spec: GithubWebhook


def _fires(expression: str) -> str:
    wrong = list(cron.complaints(expression))
    if wrong:
        raise ValueError("; ".join(wrong))
    return expression


class CronExpression(Closed):
    type: Literal["UNIX"]
    expression: Annotated[str, AfterValidator(_fires)]


class Cron(Closed):
    type: Literal["Cron"]
    spec: CronExpression


class Scheduled(Closed):
    type: Literal["Scheduled"]
    spec: Cron


class Trigger(Named):
    enabled: bool
    stages_to_execute: list[Identifier]
    pipeline_identifier: Identifier
    source: Annotated[Webhook | Scheduled, Field(discriminator="type")]
    input_set_refs: list[Identifier]


SHAPES: dict[str, type[BaseModel]] = {
    "service": Service,
    "environment": Environment,
    "infrastructureDefinition": Infrastructure,
    "overrides": Overrides,
    "inputSet": InputSet,
    "overlayInputSet": Overlay,
    "template": Template,
    "trigger": Trigger,
}


def problems(entity: Entity) -> Iterator[Problem]:
    """What does not fit the entity's shape. Pipelines have none here: `known` has it, with templates put in."""
    shape = SHAPES.get(entity.kind)
    for path, message in complaints(shape, dict(entity.body)) if shape else ():
        yield Problem(entity.file, (entity.kind, *path), message)
