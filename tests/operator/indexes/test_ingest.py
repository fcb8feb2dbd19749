"""An ingestion's Job."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from slipway_crds.bindings import connections_of, ingestion_connections, sentence_models_of
from slipway_crds.resolve import ingest_config
from slipway_operator.core.connections import egress, volumes
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import Manifest
from slipway_operator.indexes.ingest import IngestSpec, ingest_objects, ingest_policy, sources_hash
from slipway_operator.indexes.purging import purge_spec
from tests.support.operator_builds import SETTINGS, index, owner

OWNER = owner("VectorIndex", "handbook")
BACKEND = {"pgvector": {"connectionRef": {"name": "postgres", "key": "dsn"}}}


def ingestion(*, versions: str = "1", server: str = "uid-s", generation: int = 0, **spec: Any) -> IngestSpec:
    model = index(**spec)
    return IngestSpec(
        config=ingest_config(model),
        sources=tuple(model.spec.sources),
        sources_hash=sources_hash({source.name: versions for source in model.spec.sources}),
        server_uid=server,
        content_generation=generation,
        shards=model.spec.ingestion.shards,
        parallelism=model.spec.ingestion.parallelism,
    )


def test_the_objects_are_as_they_were(golden: Callable[[str, Sequence[Manifest]], None]) -> None:
    objects = ingest_objects(OWNER, SETTINGS, ingestion(), pod=None, store_secret="slipway-store-1")
    golden("ingest", [*objects, ingest_policy(OWNER, SETTINGS, index().spec)])


@pytest.mark.proves("VectorIndex.sources[].configMap.name")
def test_sources_are_mounted_by_name() -> None:
    sources = [
        {"name": "guide", "configMap": {"name": "guide-files"}},
        {"name": "api", "configMap": {"name": "api-files"}},
    ]
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(sources=sources), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    pod = spec["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["mountPath"]: each for each in pod["containers"][0]["volumeMounts"]}
    for name, config_map in (("guide", "guide-files"), ("api", "api-files")):
        mount = mounts[f"/sources/{name}"]
        assert mount["readOnly"] is True
        assert volumes[mount["name"]]["configMap"]["name"] == config_map


def test_a_connection_is_mounted_where_the_configuration_says_and_its_way_is_open() -> None:
    made = replace(ingestion(backend=BACKEND), connections=connections_of([index(backend=BACKEND)]))
    _, job = ingest_objects(OWNER, SETTINGS, made, pod=None, store_secret="s")
    spec: Any = job.get("spec")
    pod = spec["template"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "connections"]
    (source,) = volume["projected"]["sources"]
    path = source["secret"]["items"][0]["path"]
    assert source["secret"] | {"items": []} == {"name": "postgres", "optional": True, "items": []}
    assert path == made.config.vectors.connection
    assert "/etc/slipway/connections" in [each["mountPath"] for each in pod["containers"][0]["volumeMounts"]]
    policy: Any = ingest_policy(OWNER, SETTINGS, index(backend=BACKEND).spec, made.connections)
    assert policy["spec"]["egress"][-1]["ports"] == [{"protocol": "TCP", "port": 5432}]


MODEL_DIGEST = "sha256:" + "a" * 64


def model_pod(**place: Any) -> tuple[Any, Any]:
    """The pod of an ingestion with a model in files, and the mount of the model."""
    given = {"onnx": {**place, "digest": MODEL_DIGEST}}
    made = replace(ingestion(embedding=given), models=sentence_models_of([index(embedding=given)]))
    _, job = ingest_objects(OWNER, SETTINGS, made, pod=None, store_secret="s")
    spec: Any = job.get("spec")
    pod = spec["template"]["spec"]
    mounted = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "sentence-model-0"]
    assert f"{mounted[0]['mountPath']}".startswith("/sentence-models/handbook/")
    assert f"/sentence-models/{made.config.embedding.model}".startswith(mounted[0]["mountPath"])
    return pod, mounted[0]


@pytest.mark.proves("VectorIndex.embedding.onnx.volume.*")
def test_a_model_in_a_volume_is_mounted_where_the_configuration_says() -> None:
    pod, mount = model_pod(volume={"claimName": "models", "path": "e5-small"})
    (volume,) = [each for each in pod["volumes"] if each["name"] == mount["name"]]
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    assert mount["readOnly"] is True
    assert "initContainers" not in pod


@pytest.mark.proves("VectorIndex.embedding.onnx.image.*")
def test_a_model_in_an_image_is_copied_before_the_ingestion_starts() -> None:
    pod, mount = model_pod(image={"name": "registry.example.com/e5:1", "path": "/models/e5"})
    (copying,) = pod["initContainers"]
    assert copying["image"] == "registry.example.com/e5:1"
    assert copying["command"] == ["cp", "-RL", "/models/e5/.", copying["volumeMounts"][0]["mountPath"]]
    assert copying["volumeMounts"][0]["name"] == mount["name"]
    assert copying["securityContext"]["allowPrivilegeEscalation"] is False
    (volume,) = [each for each in pod["volumes"] if each["name"] == mount["name"]]
    assert volume["emptyDir"] == {}


def test_the_same_work_has_the_same_name_and_other_work_another() -> None:
    same = ingestion().name
    assert same == ingestion().name
    others = {
        ingestion(versions="2").name,
        ingestion(server="another").name,
        ingestion(generation=1).name,
        ingestion(chunking={"maxTokens": 100}).name,
    }
    assert len(others | {same}) == 5
    assert len(ingestion().name) <= 63


@pytest.mark.proves("VectorIndex.ingestion.shards")
@pytest.mark.proves("VectorIndex.ingestion.parallelism")
@pytest.mark.parametrize(
    ("asked", "at_once"), [({"shards": 6}, 4), ({"shards": 6, "parallelism": 2}, 2), ({"shards": 2}, 2)]
)
def test_shards_are_the_indexes_of_one_job(asked: dict[str, int], at_once: int) -> None:
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(ingestion=asked), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", asked["shards"], at_once)
    assert spec["backoffLimitPerIndex"] == 3
    assert "backoffLimit" not in spec, "one shard that fails must not end the others"
    env = {each["name"]: each for each in spec["template"]["spec"]["containers"][0]["env"]}
    assert env["SLIPWAY_SHARDS"]["value"] == str(asked["shards"])
    paths = [env[name]["valueFrom"]["fieldRef"]["fieldPath"] for name in ("SLIPWAY_SHARD", "SLIPWAY_INGESTION")]
    assert paths == [
        "metadata.annotations['batch.kubernetes.io/job-completion-index']",
        "metadata.labels['batch.kubernetes.io/controller-uid']",
    ]


def test_another_number_of_shards_is_the_same_work() -> None:
    assert ingestion(ingestion={"shards": 6}).name == ingestion().name


def test_an_ingestion_carries_no_token() -> None:
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    assert spec["template"]["spec"]["automountServiceAccountToken"] is False


GIT = {"name": "guide", "git": {"url": "https://git.example.com/guide.git"}}


@pytest.mark.proves("VectorIndex.sources[].git.credentialsRef.name", "VectorIndex.sources[].git.tls.caBundleRef.name")
def test_credentials_and_certificates_are_mounted_by_source_and_may_come_later() -> None:
    git = {
        **GIT["git"],  # type: ignore[dict-item]
        "credentialsRef": {"name": "git-token", "key": "token"},
        "tls": {"caBundleRef": {"name": "authorities", "key": "bundle.pem"}},
    }
    sources = [{"name": "guide", "git": git}, {"name": "docs", "configMap": {"name": "docs"}}]
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(sources=sources), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    pod = spec["template"]["spec"]
    mounts = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert [path for path in mounts if path.startswith("/sources/")] == ["/sources/docs"]
    projected = volumes[mounts["/etc/slipway/sources"]]["projected"]["sources"]
    token = {"key": "token", "path": "guide/credentials"}
    bundle = {"key": "bundle.pem", "path": "guide/ca.crt"}
    assert projected == [
        {"secret": {"name": "git-token", "optional": True, "items": [token]}},
        {"configMap": {"name": "authorities", "optional": True, "items": [bundle]}},
    ]


def opened(settings: BuildSettings = SETTINGS, **spec: Any) -> list[tuple[set[str], set[int]]]:
    """Where an ingestion's pods get, besides what they always get: ranges and namespaces, with ports."""

    def egress(**spec: Any) -> list[Any]:
        policy: Any = ingest_policy(OWNER, settings, index(**spec).spec).get("spec")
        return list(policy["egress"])

    before = egress()
    return [
        (
            {each.get("ipBlock", {}).get("cidr") or str(each["namespaceSelector"]) for each in rule["to"]},
            {port["port"] for port in rule["ports"]},
        )
        for rule in egress(**spec)
        if rule not in before
    ]


def test_a_server_at_a_public_address_is_reached_at_its_port() -> None:
    assert opened(sources=[GIT]) == [({"0.0.0.0/0", "2000::/3"}, {443})]
    other = {"name": "guide", "git": {"url": "http://git.example.com:8080/guide.git"}}
    assert opened(sources=[other]) == [({"0.0.0.0/0", "2000::/3"}, {8080})]
    private = {"name": "guide", "git": {"url": "https://git.tools.svc/guide.git"}}
    assert opened(sources=[private]) == []


@pytest.mark.proves("VectorIndex.egress[].*")
def test_private_addresses_and_the_cluster_are_reached_where_the_index_says_so() -> None:
    entries = [
        {"cidr": "10.20.0.0/16", "ports": [443]},
        {"namespace": "tools", "podLabels": {"app": "git"}, "ports": [8080]},
    ]
    tools = "{'matchLabels': {'kubernetes.io/metadata.name': 'tools'}}"
    assert opened(egress=entries) == [({"10.20.0.0/16"}, {443}), ({tools}, {8080})]
    config = ingest_config(index(egress=entries))
    assert (config.networks, config.services) == (("10.20.0.0/16",), True)


def test_the_chart_s_proxy_is_reached_by_ingestions_with_a_server() -> None:
    proxied = replace(SETTINGS, pod_env=({"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"},))
    assert {3128} in [ports for _, ports in opened(proxied, sources=[GIT])]
    assert opened(proxied) == []


@pytest.mark.proves("VectorIndex.acceptance.cases.configMapRef.*")
def test_questions_are_mounted() -> None:
    acceptance = {"cases": {"configMapRef": {"name": "questions", "key": "list.yaml"}}}
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(acceptance=acceptance), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    pod = spec["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["mountPath"]: each for each in pod["containers"][0]["volumeMounts"]}
    assert volumes[mounts["/etc/slipway/acceptance"]["name"]]["configMap"] == {"name": "questions"}


@pytest.mark.proves("VectorIndex.sources[].volume.claimName")
def test_a_volume_is_mounted_read_only() -> None:
    sources = [{"name": "files", "volume": {"claimName": "shared"}}]
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(sources=sources), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    pod = spec["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["mountPath"]: each for each in pod["containers"][0]["volumeMounts"]}
    claim = volumes[mounts["/sources/files"]["name"]]["persistentVolumeClaim"]
    assert claim == {"claimName": "shared", "readOnly": True}


@pytest.mark.proves(
    "VectorIndex.sources[].objectStore.credentialsRef.*",
    "VectorIndex.sources[].http.headers[].secretRef.*",
    "VectorIndex.sources[].http.tls.caBundleRef.*",
)
def test_secrets_of_buckets_and_headers_of_pages_are_mounted() -> None:
    bucket = {"provider": "s3", "bucket": "team", "credentialsRef": {"name": "aws", "key": "credentials"}}
    pages = {
        "urls": ["https://docs.example.com/a"],
        "headers": [{"name": "X-Key", "secretRef": {"name": "site", "key": "key"}}],
        "tls": {"caBundleRef": {"name": "authorities", "key": "ca.pem"}},
    }
    sources = [{"name": "archive", "objectStore": bucket}, {"name": "site", "http": pages}]
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(sources=sources), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    files = next(each for each in spec["template"]["spec"]["volumes"] if each["name"] == "source-files")
    paths = [item["path"] for each in files["projected"]["sources"] for body in each.values() for item in body["items"]]
    assert paths == ["archive/credentials", "site/header.X-Key", "site/ca.crt"]
    assert opened(sources=sources) == [({"0.0.0.0/0", "2000::/3"}, {443})]


def test_texts_elsewhere_are_purged_by_a_job_and_need_a_way_there() -> None:
    ref = {"connectionRef": {"name": "atlas", "key": "uri"}}
    assert purge_spec(index()) is None
    purging = purge_spec(index(documents={"store": {"mongodb": ref}}))
    assert purging is not None
    assert purging.config.purge
    assert [(each.kind, each.of, each.path) for each in purging.connections] == [
        ("mongodb", "documents", "handbook/atlas/uri")
    ]
    rules: list[Any] = list(egress(purging.connections))
    ports = [port["port"] for rule in rules for port in rule["ports"]]
    assert ports == [27015, 27016, 27017]


def test_vectors_and_texts_by_one_secret_are_one_file() -> None:
    ref = {"connectionRef": {"name": "atlas", "key": "uri"}}
    both = ingestion_connections(index(backend={"mongodb": ref}, documents={"store": {"mongodb": ref}}))
    assert len(both) == 2
    made: list[Any] = list(volumes(both))
    [volume] = made
    assert len(volume["projected"]["sources"]) == 1
