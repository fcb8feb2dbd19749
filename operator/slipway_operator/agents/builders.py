"""An Agent's objects. Per revision: ConfigMaps, Deployment, Service. Per agent: everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from slipway_crds import contract
from slipway_crds.agents.model import AgentSpec, Scaling
from slipway_crds.bindings import ConnectionSource, HostFiles
from slipway_crds.contract import CONFIG_KEY
from slipway_crds.identity import CONFIG_MAP as IDENTITY_CONFIG_MAP
from slipway_crds.meta import AGENT_LABEL, GROUP, REVISION_LABEL
from slipway_crds.podsettings import PodSettings
from slipway_crds.runtimeconfig import AgentConfig, RuntimeConfig
from slipway_operator.agents import network
from slipway_operator.agents.files import bindings_data, bindings_name, mounts, volumes
from slipway_operator.agents.plugin_code import code_mounts, code_volumes
from slipway_operator.core import host_tls, policies, sentence_models
from slipway_operator.core.drift import digest
from slipway_operator.core.inputs import BuildSettings, Owner, child, labels, service_account
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    POD_DISRUPTION_BUDGET,
    SERVICE,
)
from slipway_operator.core.pods import container, http_probe, pod_spec, pod_template, read_only, resources
from slipway_operator.core.policies import reads_labels

STATE_ANNOTATION = f"{GROUP}/state"
RETIRED_AT_ANNOTATION = f"{GROUP}/retired-at"
TEMPLATE_ANNOTATION = f"{GROUP}/template"
"""On a Deployment: hash of its pod template, to distinguish an upgrade from a change of the rollout's state."""
COMPONENT = "agent"
DRAIN_SLACK_SECONDS = 30
"""Beyond the longest answer, for the pod to hand over and close."""
CPU_TARGET_PERCENT = 70

State = Literal["Candidate", "Serving", "Retiring"]


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One rendering of an agent, and how far its rollout is."""

    config: RuntimeConfig
    files: HostFiles
    state: State
    retired_at: str | None = None

    @property
    def name(self) -> str:
        return revision_name(self.config)


HOST_PROBES = {
    "startupProbe": http_probe(contract.LIVEZ, period=1, failures=60),
    "livenessProbe": http_probe(contract.LIVEZ, period=10, failures=6),
    "readinessProbe": http_probe(contract.READYZ, period=2, failures=3),
}


def revision_name(config: RuntimeConfig) -> str:
    """Name of the revision that is started with this."""
    return contract.revision_name(config.agents[0].name, config.digest())


PROGRAM_TMP = "custom-tmp"


def agent_objects(
    owner: Owner,
    settings: BuildSettings,
    spec: AgentSpec,
    configs: Sequence[AgentConfig],
    *,
    serving: str,
    connections: Sequence[ConnectionSource] = (),
) -> list[Manifest]:
    """What an agent has once, whatever its revisions.

    `configs` and `connections` are those of its live revisions, `serving` is the one that the autoscaler acts on.
    """
    scaling = spec.scaling
    objects = [service_account(child_name(owner.name), owner, _agent_labels(owner)), _disruption_budget(owner)]
    if settings.network_policies:
        egress = network.egress(settings, configs, spec, connections)
        objects.append(_network_policy(owner, settings, egress))
    if scaling.max is not None and scaling.max > scaling.min:
        objects.append(_autoscaler(owner, scaling, scaling.max, serving))
    return objects


def revision_objects(
    owner: Owner, settings: BuildSettings, revision: Revision, *, pod: PodSettings | None, store_secret: str
) -> list[Manifest]:
    """What each live revision has."""
    return [
        _config_map(owner, revision),
        _bindings(owner, revision),
        _service(owner, settings, revision),
        _deployment(owner, settings, revision, pod=pod, store_secret=store_secret),
    ]


def child_name(agent: str) -> str:
    """Name of the objects that an agent has once."""
    return f"{agent}-agent"


def _agent_labels(owner: Owner) -> dict[str, str]:
    return labels(COMPONENT, {AGENT_LABEL: owner.name})


def _revision_labels(owner: Owner, revision: Revision) -> dict[str, str]:
    return labels(COMPONENT, {AGENT_LABEL: owner.name, REVISION_LABEL: revision.name})


def _disruption_budget(owner: Owner) -> Manifest:
    budget = child(POD_DISRUPTION_BUDGET, child_name(owner.name), owner, _agent_labels(owner))
    budget["spec"] = {"maxUnavailable": 1, "selector": {"matchLabels": {AGENT_LABEL: owner.name}}}
    return budget


def _network_policy(owner: Owner, settings: BuildSettings, egress: list[JsonObject]) -> Manifest:
    return policies.network_policy(
        child_name(owner.name),
        owner,
        _agent_labels(owner),
        selector={AGENT_LABEL: owner.name},
        ingress=network.ingress(settings),
        egress=egress,
    )


def _autoscaler(owner: Owner, scaling: Scaling, maximum: int, serving: str) -> Manifest:
    scaler = child(AUTOSCALER, child_name(owner.name), owner, _agent_labels(owner))
    scaler["spec"] = {
        "scaleTargetRef": {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name, "name": serving},
        "minReplicas": scaling.min,
        "maxReplicas": maximum,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT},
                },
            }
        ],
    }
    return scaler


def _config_map(owner: Owner, revision: Revision) -> Manifest:
    config_map = child(CONFIG_MAP, revision.name, owner, _revision_labels(owner, revision))
    # The same canonical text that the digest is of, so that a later version, with more defaults, writes it no other
    # way: the object is immutable.
    config_map["data"] = {CONFIG_KEY: revision.config.canonical().decode()}
    config_map["immutable"] = True
    return config_map


def _bindings(owner: Owner, revision: Revision) -> Manifest:
    bindings = child(CONFIG_MAP, bindings_name(revision.name), owner, _revision_labels(owner, revision))
    bindings["data"] = bindings_data(revision.files)
    return bindings


def _service(owner: Owner, settings: BuildSettings, revision: Revision) -> Manifest:
    service = child(SERVICE, revision.name, owner, _revision_labels(owner, revision))
    service["spec"] = {
        "type": "ClusterIP",
        "selector": {REVISION_LABEL: revision.name},
        "ports": host_tls.service_ports(settings),
    }
    return service


def _deployment(
    owner: Owner, settings: BuildSettings, revision: Revision, *, pod: PodSettings | None, store_secret: str
) -> Manifest:
    deployment = child(DEPLOYMENT, revision.name, owner, _revision_labels(owner, revision))
    readers = {
        label: value
        for knowledge in revision.config.agents[0].knowledge
        for label, value in reads_labels(knowledge.index).items()
    }
    template = pod_template(
        {**_revision_labels(owner, revision), **readers},
        _host_pod(owner, settings, revision, pod=pod, store_secret=store_secret),
        pod,
    )
    annotations: dict[str, str] = {STATE_ANNOTATION: revision.state, TEMPLATE_ANNOTATION: digest(template)}
    if revision.retired_at is not None:
        annotations[RETIRED_AT_ANNOTATION] = revision.retired_at
    deployment["metadata"]["annotations"] = annotations
    deployment["spec"] = {
        "revisionHistoryLimit": 1,
        "progressDeadlineSeconds": settings.rollout_deadline,
        # A pod goes only when its successor is ready, so that a bad image takes no capacity away.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "selector": {"matchLabels": {REVISION_LABEL: revision.name}},
        "template": template,
    }
    return deployment


def _host_pod(
    owner: Owner, settings: BuildSettings, revision: Revision, *, pod: PodSettings | None, store_secret: str
) -> JsonObject:
    host = _host(settings, revision, pod=pod)
    spec = pod_spec(
        settings,
        service_account=child_name(owner.name),
        container=host,
        volumes=[
            {"name": "config", "configMap": {"name": revision.name}},
            {"name": "store", "secret": {"secretName": store_secret}},
            # Refreshed while pods run: another identity key of the gateway rolls nothing.
            {"name": "identity", "configMap": {"name": IDENTITY_CONFIG_MAP}},
            *volumes(revision.name, revision.files),
            *host_tls.volumes(settings),
            *code_volumes(revision.config.agents[0]),
        ],
        pod=pod,
        apart={AGENT_LABEL: owner.name},
        before=sentence_models.init_containers(settings, revision.files.sentence_models),
    )
    program = _program(settings, revision)
    if program is not None:
        spec["containers"] = [host, program]
        spec["volumes"] = [*cast(list[object], spec["volumes"]), {"name": PROGRAM_TMP, "emptyDir": {}}]
    timeout = max(agent.request_timeout_seconds for agent in revision.config.agents)
    spec["terminationGracePeriodSeconds"] = timeout + DRAIN_SLACK_SECONDS
    return spec


def _host(settings: BuildSettings, revision: Revision, *, pod: PodSettings | None) -> JsonObject:
    return container(
        settings,
        name="host",
        image=_host_image(settings, revision),
        ports={
            contract.HTTP_PORT_NAME: contract.HTTP_PORT,
            "metrics": contract.METRICS_PORT,
            **host_tls.container_ports(settings),
        },
        env=[*_host_env(settings), *host_tls.environment(settings)],
        mounts=[
            read_only("config", contract.CONFIG_DIR),
            read_only("store", contract.STORE_DIR),
            read_only("identity", contract.IDENTITY_DIR),
            *mounts(revision.files),
            *host_tls.mounts(settings),
            *code_mounts(revision.config.agents[0]),
        ],
        resources=resources(settings.host_resources, pod),
        more={"args": [contract.HOST_COMMAND], **HOST_PROBES},
    )


def _host_image(settings: BuildSettings, revision: Revision) -> str:
    custom = revision.config.agents[0].custom
    own = custom.image if custom is not None and custom.port is None else None
    return own or settings.runtime_image


def _program(settings: BuildSettings, revision: Revision) -> JsonObject | None:
    """The container of the user's program, if there is one. It gets no password of the store and no key of a model."""
    custom = revision.config.agents[0].custom
    if custom is None or custom.port is None or custom.image is None:
        return None
    program = container(
        settings,
        name="custom",
        image=custom.image,
        ports={"a2a": custom.port},
        env=[{"name": "PORT", "value": str(custom.port)}],
        resources=settings.host_resources,
        # Whether it answers is seen by the host, whose readiness says what is missing.
        more={"startupProbe": {"tcpSocket": {"port": custom.port}, "periodSeconds": 1, "failureThreshold": 120}},
    )
    # A folder of its own, so that neither container reads what the other one leaves there.
    mounted = cast(list[dict[str, object]], program["volumeMounts"])
    program["volumeMounts"] = [{**each, "name": PROGRAM_TMP} if each["name"] == "tmp" else each for each in mounted]
    return program


def _host_env(settings: BuildSettings) -> list[JsonObject]:
    return [
        {"name": "SLIPWAY_CHROMA_URL", "value": contract.CHROMA_URL},
        {"name": "SLIPWAY_GATEWAY_URL", "value": settings.gateway_url},
        {"name": "SLIPWAY_IDENTITY_ANCHOR", "value": settings.identity_anchor},
        {"name": "SLIPWAY_HOST_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
