"""An ingestion's Job."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from slipway_crds.resolve import ingest_config
from slipway_operator.core.manifests import Manifest
from slipway_operator.indexes.ingest import IngestSpec, ingest_objects, ingest_policy, sources_hash
from tests.support.operator_builds import SETTINGS, index, owner

OWNER = owner("VectorIndex", "handbook")


def ingestion(*, versions: str = "1", server: str = "uid-s", generation: int = 0, **spec: Any) -> IngestSpec:
    model = index(**spec)
    return IngestSpec(
        config=ingest_config(model),
        sources=tuple(model.spec.sources),
        sources_hash=sources_hash({source.name: versions for source in model.spec.sources}),
        server_uid=server,
        content_generation=generation,
    )


def test_the_objects_are_as_they_were(golden: Callable[[str, Sequence[Manifest]], None]) -> None:
    objects = ingest_objects(OWNER, SETTINGS, ingestion(), pod=None, store_secret="slipway-store-1")
    golden("ingest", [*objects, ingest_policy(OWNER, SETTINGS)])


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


def test_an_ingestion_carries_no_token() -> None:
    _, job = ingest_objects(OWNER, SETTINGS, ingestion(), pod=None, store_secret="s")
    spec: Any = job.get("spec")
    assert spec["template"]["spec"]["automountServiceAccountToken"] is False
