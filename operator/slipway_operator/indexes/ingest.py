"""One ingestion: a Job that reads the sources as files, fills the index, and reports in its termination message.

The Job's name is a hash of what it does and of what it reads, so that the same work is never started twice and a
changed source starts a new one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from slipway_crds import contract
from slipway_crds.agents.destinations import public_ports
from slipway_crds.bindings import ConnectionSource, FileSource, SentenceModelSource
from slipway_crds.contract import CONFIG_KEY
from slipway_crds.egress import cidr_problem
from slipway_crds.indexes.model import VectorIndexSpec
from slipway_crds.indexes.sources import Source
from slipway_crds.meta import GROUP, INDEX_LABEL
from slipway_crds.podsettings import PodSettings
from slipway_crds.runtimeconfig import IngestConfig
from slipway_operator.core import connections as elsewhere
from slipway_operator.core import policies, sentence_models
from slipway_operator.core.inputs import BuildSettings, Owner, child, labels
from slipway_operator.core.manifests import JsonObject, Manifest
from slipway_operator.core.objects import CONFIG_MAP, JOB
from slipway_operator.core.pods import container, pod_spec, pod_template, read_only, resources
from slipway_operator.core.policies import reads_labels
from slipway_operator.core.projected import OWNER_AND_GROUP, projection
from slipway_operator.indexes.server import child_name as index_child_name

COMPONENT = "ingest"
SPEC_ANNOTATION = f"{GROUP}/ingest-config"
"""On a Job: digest of its IngestConfig, to distinguish a changed spec from a changed source."""
SOURCES_ANNOTATION = f"{GROUP}/sources"
"""On a Job: hash of the versions of its sources."""
GENERATION_ANNOTATION = f"{GROUP}/content-generation"
"""On a StatefulSet: the content generation that its volume should have. On a Job: the one that it builds."""
SERVER_ANNOTATION = f"{GROUP}/index-server"
"""On a Job: uid of the StatefulSet that it fills; empty where the vectors are elsewhere."""
EXPIRED_ANNOTATION = f"{GROUP}/expired-revision"
"""On a Job: the former revision whose time was over when it was made, and when that was."""
ATTEMPTS_BEFORE_BACK_OFF = 3
"""The retries of the Job, or of each shard, seconds apart. After them the operator starts it anew, minutes apart."""


@dataclass(frozen=True, kw_only=True)
class IngestSpec:
    """One run over the sources, as they were when it was planned."""

    config: IngestConfig
    sources: tuple[Source, ...]
    sources_hash: str
    server_uid: str
    """Of the StatefulSet: a new server may have a new, empty volume, so it is filled again. Empty without one."""
    content_generation: int
    """How often the server had to be filled again because it had lost vectors."""
    occasion: str = ""
    """What called for it, besides a change of these."""
    connections: tuple[ConnectionSource, ...] = ()
    """What leads to the vectors, where they are on a server that Slipway does not run."""
    models: tuple[SentenceModelSource, ...] = ()
    """The index's embedding model, if it is in files of the user's."""
    expired: str = ""
    """The former revision that it removes, which is part of `occasion`."""
    shards: int = 1
    """Pods that do it together."""
    parallelism: int = 1
    """So many of them at a time."""

    @property
    def name(self) -> str:
        content = f"{self.config.digest()}/{self.sources_hash}/{self.server_uid}/{self.content_generation}"
        content += f"/{self.occasion}" if self.occasion else ""
        return f"{self.config.index}-ingest-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def sources_hash(versions: Mapping[str, str]) -> str:
    """Hash of the sources' identities and versions, by the name of the source."""
    return hashlib.sha256(orjson.dumps(dict(sorted(versions.items())))).hexdigest()[:16]


def ingest_objects(
    owner: Owner, settings: BuildSettings, ingestion: IngestSpec, *, pod: PodSettings | None, store_secret: str
) -> tuple[Manifest, Manifest]:
    """The ConfigMap and the Job of one ingestion."""
    return _config_map(owner, ingestion), _job(owner, settings, ingestion, pod, store_secret)


def ingest_policy(
    owner: Owner, settings: BuildSettings, spec: VectorIndexSpec, connections: Sequence[ConnectionSource] = ()
) -> Manifest:
    """What ingestion pods may talk to: the operator asks for progress, they write to the index and the store, and they
    read from the servers of sources."""
    return policies.network_policy(
        f"{owner.name}-ingest",
        owner,
        _labels(owner),
        selector=_labels(owner),
        ingress=[policies.from_release(settings, "operator", port=contract.HTTP_PORT)],
        egress=[
            policies.to_dns(),
            *policies.to_platform(settings),
            policies.to_pods(labels("index", {INDEX_LABEL: owner.name}), port=contract.CHROMA_PORT),
            *elsewhere.egress(connections),
            *_to_sources(settings, spec),
        ],
    )


def _to_sources(settings: BuildSettings, spec: VectorIndexSpec) -> list[JsonObject]:
    urls = [url for source in spec.sources for url in source.urls]
    return [
        *policies.to_public(public_ports([], urls)),
        *(policies.to_proxy(settings) if urls else ()),
        *(policies.to_egress(entry) for entry in spec.egress if not (entry.cidr and cidr_problem(entry.cidr))),
    ]


def _labels(owner: Owner) -> dict[str, str]:
    return labels(COMPONENT, {INDEX_LABEL: owner.name})


def _config_map(owner: Owner, ingestion: IngestSpec) -> Manifest:
    config_map = child(CONFIG_MAP, ingestion.name, owner, _labels(owner))
    config_map["data"] = {CONFIG_KEY: ingestion.config.canonical().decode()}
    config_map["immutable"] = True
    return config_map


def _job(
    owner: Owner, settings: BuildSettings, ingestion: IngestSpec, pod: PodSettings | None, store_secret: str
) -> Manifest:
    job = child(JOB, ingestion.name, owner, _labels(owner))
    job["metadata"]["annotations"] = {
        SPEC_ANNOTATION: ingestion.config.digest(),
        SOURCES_ANNOTATION: ingestion.sources_hash,
        GENERATION_ANNOTATION: str(ingestion.content_generation),
        SERVER_ANNOTATION: ingestion.server_uid,
        **({EXPIRED_ANNOTATION: ingestion.expired} if ingestion.expired else {}),
    }
    job["spec"] = {
        **_completion(ingestion),
        # One pod at a time, even while the last one is still ending.
        "podReplacementPolicy": "Failed",
        "template": pod_template(
            {**_labels(owner), **reads_labels(owner.name)},
            _ingest_pod(owner, settings, ingestion, pod, store_secret),
            pod,
        ),
    }
    return job


def _completion(ingestion: IngestSpec) -> JsonObject:
    """When the Job is done. With shards, each has its own retries, and the last one publishes."""
    if ingestion.shards == 1:
        return {"backoffLimit": ATTEMPTS_BEFORE_BACK_OFF}
    return {
        "completionMode": "Indexed",
        "completions": ingestion.shards,
        "parallelism": min(ingestion.parallelism, ingestion.shards),
        "backoffLimitPerIndex": ATTEMPTS_BEFORE_BACK_OFF,
    }


def _shard(ingestion: IngestSpec) -> list[JsonObject]:
    """Variables that tell a pod which shard it does, of which ingestion."""
    if ingestion.shards == 1:
        return []
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    uid = "metadata.labels['batch.kubernetes.io/controller-uid']"
    return [
        {"name": "SLIPWAY_SHARDS", "value": str(ingestion.shards)},
        {"name": "SLIPWAY_SHARD", "valueFrom": {"fieldRef": {"fieldPath": index}}},
        {"name": "SLIPWAY_INGESTION", "valueFrom": {"fieldRef": {"fieldPath": uid}}},
    ]


def _ingest_pod(
    owner: Owner, settings: BuildSettings, ingestion: IngestSpec, pod: PodSettings | None, store_secret: str
) -> JsonObject:
    worker = container(
        settings,
        name="ingest",
        image=settings.runtime_image,
        ports={contract.HTTP_PORT_NAME: contract.HTTP_PORT},
        env=[{"name": "SLIPWAY_CHROMA_URL", "value": contract.CHROMA_URL}, *_shard(ingestion)],
        mounts=[
            read_only("config", contract.CONFIG_DIR),
            read_only("store", contract.STORE_DIR),
            *(
                read_only(f"source-{source.name}", f"{contract.SOURCES_DIR}/{source.name}")
                for source in ingestion.sources
                if source.config_map is not None or source.volume is not None
            ),
            *([read_only("source-files", contract.SOURCE_FILES_DIR)] if _projections(ingestion.sources) else []),
            *([read_only("acceptance", contract.ACCEPTANCE_DIR)] if ingestion.config.acceptance.cases else []),
            *elsewhere.mounts(ingestion.connections),
            *sentence_models.mounts(ingestion.models),
        ],
        resources=resources(settings.ingest_resources, pod),
        more={"args": [contract.INGEST_COMMAND]},
    )
    spec = pod_spec(
        settings,
        service_account=index_child_name(owner.name),
        container=worker,
        volumes=[
            {"name": "config", "configMap": {"name": ingestion.name}},
            {"name": "store", "secret": {"secretName": store_secret}},
            *_source_volumes(ingestion.sources),
            *_source_files(ingestion.sources),
            *_cases_volume(ingestion.config),
            *elsewhere.volumes(ingestion.connections),
            *sentence_models.volumes(ingestion.models),
        ],
        pod=pod,
        before=sentence_models.init_containers(settings, ingestion.models),
    )
    spec["restartPolicy"] = "Never"
    return spec


def _source_volumes(sources: Sequence[Source]) -> list[JsonObject]:
    return [volume for source in sources if (volume := _source_volume(source)) is not None]


def _source_volume(source: Source) -> JsonObject | None:
    name = f"source-{source.name}"
    if source.config_map is not None:
        return {"name": name, "configMap": {"name": source.config_map.name}}
    if source.volume is not None:
        return {"name": name, "persistentVolumeClaim": {"claimName": source.volume.claim_name, "readOnly": True}}
    return None


def _cases_volume(config: IngestConfig) -> list[JsonObject]:
    """The ConfigMap with the questions that a build has to find documents for."""
    cases = config.acceptance.cases
    return [{"name": "acceptance", "configMap": {"name": cases.partition("/")[0]}}] if cases is not None else []


def _source_files(sources: Sequence[Source]) -> list[JsonObject]:
    """Credentials and certificates of sources' servers."""
    projections = _projections(sources)
    if not projections:
        return []
    return [{"name": "source-files", "projected": {"defaultMode": OWNER_AND_GROUP, "sources": projections}}]


def _projections(sources: Sequence[Source]) -> list[JsonObject]:
    made: list[JsonObject] = []
    for source in sources:
        for file, ref in source.secrets.items():
            made.append({"secret": projection(FileSource(name=ref.name, key=ref.key), f"{source.name}/{file}")})
        if source.tls is not None:
            bundle, path = source.tls.ca_bundle_ref, f"{source.name}/{contract.SOURCE_CA_FILE}"
            made.append({"configMap": projection(FileSource(name=bundle.name, key=bundle.key), path)})
    return made
