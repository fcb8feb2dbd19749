"""An operator of the tests' own on an API server, and for each test a namespace."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest

from devcluster.settings import Cluster
from slipway_operator.core.objects import CHILDREN, POD, owner_kinds
from tests.support.operator_process import OperatorProcess
from tests.support.operator_world import World, world_of

MakeOperator = Callable[..., OperatorProcess]


@pytest.fixture
async def world(api_cluster: Cluster) -> AsyncIterator[World]:
    """The API server, with our CRDs."""
    async with world_of(api_cluster.kubeconfig, api_cluster.audit_log) as made:
        await made.namespace("slipway-system")
        yield made


@pytest.fixture
async def namespace(world: World) -> AsyncIterator[str]:
    """A namespace of the test's own. Nobody collects garbage here, so the test takes it away itself."""
    name = f"test-{secrets.token_hex(4)}"
    await world.namespace(name)
    yield name
    for kind in (*owner_kinds(), *CHILDREN, POD):
        query = {"gracePeriodSeconds": "0", "propagationPolicy": "Background"}
        if kind in owner_kinds():
            for found in (await world.api.request("GET", kind.path(name))).body.get("items") or []:
                if found["metadata"].get("finalizers"):
                    await world.merge(kind.name, name, found["metadata"]["name"], {"metadata": {"finalizers": None}})
        await world.api.request("DELETE", kind.path(name), query=query)


@pytest.fixture(scope="module")
def make_operator(
    api_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[MakeOperator]:
    """Make an operator process; it is stopped after the module at the latest."""
    made: list[OperatorProcess] = []

    def make(
        env: Mapping[str, str] | None = None, *, name: str = "operator", store_dsn: str = postgres_server
    ) -> OperatorProcess:
        folder = tmp_path_factory.mktemp(name)
        kubeconfig = str(api_cluster.kubeconfig)
        operator = OperatorProcess(folder, kubeconfig=kubeconfig, store_dsn=store_dsn, env=env)
        made.append(operator)
        return operator

    yield make
    for operator in made:
        operator.stop()


@pytest.fixture(scope="module")
def operator(make_operator: MakeOperator) -> Iterator[OperatorProcess]:
    """A running operator. A module whose tests start operators of their own does not use it: one leads at a time."""
    with make_operator() as running:
        yield running
