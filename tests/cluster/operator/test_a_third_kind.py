"""A kind is one row and one folder: one that only tests know is watched, reconciled, validated and cleaned up."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from devcluster.settings import Cluster
from slipway_crds.generate import RIGHTS, generated_files
from slipway_crds.meta import API_VERSION, GROUP
from slipway_crds.registry import OWNER_KINDS
from slipway_crds.validate import validate_documents
from tests.cluster.operator.conftest import MakeOperator
from tests.support.beacons.kind import BEACON
from tests.support.operator_manifests import documents, index
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World, world_of
from tests.support.waiting import until_async

pytestmark = pytest.mark.cluster

START = "from tests.support.beacons.controller import main; main()"


def beacon(namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Beacon",
        "metadata": {"name": "north", "namespace": namespace},
        "spec": {"index": "handbook", **spec},
    }


@pytest.fixture(scope="module", autouse=True)
def third_kind() -> Iterator[None]:
    OWNER_KINDS[BEACON.name] = BEACON
    yield
    del OWNER_KINDS[BEACON.name]


@pytest.fixture(scope="module")
def operator(make_operator: MakeOperator) -> Iterator[OperatorProcess]:
    made = make_operator()
    made.start(START)
    yield made
    made.stop()


@pytest.fixture
async def forgotten(world: World) -> AsyncIterator[None]:
    """The API server knows the kind for this test only: others look at all kinds that it serves."""
    yield
    await world.api.request(
        "DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{BEACON.plural}.{GROUP}"
    )

    async def unknown() -> bool:
        served = (await world.api.request("GET", f"/apis/{API_VERSION}")).body["resources"]
        return BEACON.plural not in {each["name"] for each in served}

    await until_async(unknown, "the API server forgets the kind")


async def shown(world: World, namespace: str, name: str) -> dict[str, Any]:
    answer = await world.api.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    return answer.body if answer.accepted else {}


def test_its_crd_and_its_reference_page_are_generated() -> None:
    files = generated_files()
    assert {path.name for path in files} >= {"slipway.dev_beacons.yaml", "beacon.md"}
    assert "beacons/status" in files[RIGHTS]


def test_it_is_validated_like_the_others() -> None:
    assert [str(each.problem) for each in validate_documents([beacon("demo", colour="blue")])] == [
        'spec.colour: must be red or green, not "blue"'
    ]
    (waiting,) = validate_documents([beacon("demo")])
    assert (waiting.problem.waiting, waiting.problem.path) == (True, "spec.index")
    assert validate_documents([beacon("demo"), index("demo"), documents("demo")]) == []


async def test_it_is_watched_reconciled_and_cleaned_up(
    api_cluster: Cluster, world: World, forgotten: None, namespace: str, operator: OperatorProcess
) -> None:
    async with world_of(api_cluster.kubeconfig, api_cluster.audit_log), world.controllers(namespace):
        await world.apply(beacon(namespace))
        await world.until_condition("Beacon", namespace, "north", status="False", reason="WaitingForIndex")
        await world.apply(documents(namespace))
        await world.apply(index(namespace))
        await world.until_condition("VectorIndex", namespace, "handbook")
        await world.until_condition("Beacon", namespace, "north", reason="IndexReady")

        async def shows(name: str, **data: str) -> bool:
            return (await shown(world, namespace, name)).get("data") == data

        await until_async(lambda: shows("north-green", ready="True", revision="r1"), "the beacon shows the index")
        owner = (await shown(world, namespace, "north-green"))["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("Beacon", "north", True)
        await world.apply(beacon(namespace, colour="red"))
        await until_async(lambda: shows("north-red", ready="True", revision="r1"), "the beacon changes its colour")

        async def gone() -> bool:
            return await shown(world, namespace, "north-green") == {}

        await until_async(gone, "what is no longer needed is deleted")
