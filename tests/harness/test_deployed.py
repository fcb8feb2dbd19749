"""What the services deploy: the chart's parts with values of each environment, and the sample with its annotations."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import binaries, recipes
from scripts.harness.folder import Entity, read
from slipway_crds.agents.model import AgentStatus
from slipway_crds.indexes.model import VectorIndexStatus
from slipway_demo import images
from tests.harness.conftest import REPOSITORY

FOLDER = read(REPOSITORY / ".harness")
ENVIRONMENTS = FOLDER.names("environment")
CHART_SERVICES = ["control_plane", "gateway"]
Object = dict[str, Any]


def service(name: str) -> Entity:
    found = FOLDER.find("service", name)
    assert found
    return found


def variables(entity: Entity, environment: str) -> dict[str, str]:
    """A service's variables in an environment: overrides of the service win over those of the environment."""
    values = {v["name"]: v["value"] for v in entity.body["serviceDefinition"]["spec"]["variables"]}
    for kind in ("ENV_GLOBAL_OVERRIDE", "ENV_SERVICE_OVERRIDE"):
        for override in FOLDER.of("overrides"):
            ours = override.body.get("serviceRef", entity.identifier) == entity.identifier
            if override.body["type"] == kind and override.body["environmentRef"] == environment and ours:
                values |= {v["name"]: v["value"] for v in override.body["spec"]["variables"]}
    return values


@pytest.fixture(scope="session")
def helm() -> str:
    return shutil.which("helm") or str(binaries.ensure(recipes.HELM))


def render(helm: str, entity: Entity, environment: str, folder: Path, repository: Path = REPOSITORY) -> list[Object]:
    """What Harness applies: expressions filled in, the chart rendered with the service's flags."""
    filled = {f"serviceVariables.{name}": value for name, value in variables(entity, environment).items()}
    filled |= {"pipeline.variables.image_registry": "registry.test/slipway", "pipeline.variables.image_tag": "0.1.7"}
    chart, given = (entry["manifest"]["spec"] for entry in entity.body["serviceDefinition"]["spec"]["manifests"])
    files = []
    for path in given["store"]["spec"]["paths"]:
        file = repository / path.replace("<+env.identifier>", environment)
        files.append(folder / file.name)
        files[-1].write_text(re.sub(r"<\+([^>]*)>", lambda match: filled[match[1]], file.read_text()))
    flags = [word for flag in chart["commandFlags"] for word in flag["flag"].split()]
    command = [helm, "template", "slipway", "charts/slipway", "--namespace=slipway-system", "--kube-version=1.34.0"]
    command += [*(f"--values={file}" for file in files), *flags]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document]


def names(objects: list[Object]) -> set[tuple[str, str]]:
    return {(item["kind"], item["metadata"]["name"]) for item in objects}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_two_services_deploy_the_chart_once(helm: str, tmp_path: Path, environment: str) -> None:
    control_plane, gateway = (render(helm, service(name), environment, tmp_path) for name in CHART_SERVICES)
    assert not names(control_plane) & names(gateway)
    assert {("Deployment", "slipway-operator"), ("NetworkPolicy", "slipway-gateway")} <= names(control_plane)
    # Canary and blue/green want one Deployment, and one Service to put their own next to.
    assert [kind for kind, _ in names(gateway)].count("Deployment") == 1
    assert [kind for kind, _ in names(gateway)].count("Service") == 1
    kinds = {kind for kind, _ in names(control_plane) | names(gateway)}
    assert not kinds & {"Secret", "StatefulSet", "PersistentVolumeClaim"}  # the environment brings store and keys


def test_nothing_of_the_chart_is_left_out(helm: str, tmp_path: Path) -> None:
    command = [helm, "template", "slipway", "charts/slipway", "--namespace=slipway-system", "--kube-version=1.34.0"]
    command += ["--set=postgres.existingSecret=slipway-store", "--set=gateway.auth.existingSecret=slipway-callers"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    whole = [document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document]
    parts = [item for name in CHART_SERVICES for item in render(helm, service(name), "prod", tmp_path)]
    assert names(parts) == names(whole)


def test_overrides_reach_the_manifests(helm: str, tmp_path: Path) -> None:
    deployment = next(
        item for item in render(helm, service("gateway"), "prod", tmp_path) if item["kind"] == "Deployment"
    )
    assert deployment["spec"]["replicas"] == 6
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 180
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.test/slipway/runtime:0.1.7"


def test_values_of_an_environment_win_over_those_of_all(helm: str, tmp_path: Path, copy: Path) -> None:
    # As terraform/README.md opens the door on Azure.
    (copy / "values" / "staging.yaml").write_text("gateway: {service: {type: LoadBalancer}}\n")
    for environment, kind in {"dev": "ClusterIP", "staging": "LoadBalancer"}.items():
        objects = render(helm, service("gateway"), environment, tmp_path, repository=copy.parent)
        assert [item["spec"]["type"] for item in objects if item["kind"] == "Service"] == [kind]


def sample() -> Mapping[str, Object]:
    text = (REPOSITORY / ".harness" / "agents" / "handbook.yaml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.mark.parametrize(("kind", "file"), [("Agent", "agent.yaml"), ("VectorIndex", "vectorindex.yaml")])
def test_the_sample_is_the_example(kind: str, file: str) -> None:
    example: Object = yaml.safe_load((REPOSITORY / "examples" / "handbook" / file).read_text())
    ours = sample()[kind]
    assert {key: ours[key] for key in ("apiVersion", "kind", "spec")} == {
        key: example[key] for key in ("apiVersion", "kind", "spec")
    }
    assert ours["metadata"]["name"] == example["metadata"]["name"]
    assert ours["metadata"]["namespace"] == example["metadata"]["namespace"]


@pytest.mark.parametrize(("kind", "model"), [("Agent", AgentStatus), ("VectorIndex", VectorIndexStatus)])
def test_harness_waits_for_what_the_status_has(kind: str, model: type[AgentStatus | VectorIndexStatus]) -> None:
    annotations = sample()[kind]["metadata"]["annotations"]
    assert annotations["harness.io/managed-workload"] == "true"
    condition = annotations["harness.io/steadyStateCondition"]
    assert condition.startswith("${")
    assert condition.endswith("}")
    properties = model.model_json_schema(by_alias=True)["properties"]
    fields = re.findall(r"\$\.\.status\.(\w+)", condition)
    assert set(fields) == {"phase", "observedGeneration"} <= set(properties)
    assert '== "Ready"' in condition
    assert "Ready" in json.dumps(properties["phase"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_applicationset_finds_what_it_reads(environment: str) -> None:
    folder = REPOSITORY / ".harness" / "gitops"
    config = json.loads((folder / "clusters" / environment / "config.json").read_text())
    assert config["cluster"]["name"] == environment
    for path in re.findall(r"\{\{\.([\w.]+)\}\}", (folder / "applicationset.yaml").read_text()):
        value: Any = config
        for key in path.split("."):
            value = value[key]
        assert value


def test_every_published_image_is_scanned_and_signed() -> None:
    pipeline = FOLDER.find("pipeline", "slipway")
    assert pipeline
    stages = {entry["stage"]["identifier"]: entry["stage"] for entry in pipeline.body["stages"]}
    published = {image.name for image in images.ALL}
    assert set(stages["attest_images"]["strategy"]["matrix"]["image"]) == published
    assert set(stages["verify_signatures"]["strategy"]["matrix"]["artifact"]) == published | {"charts/slipway"}
