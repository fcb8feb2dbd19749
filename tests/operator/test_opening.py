"""What is not acted on says so in its status."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from slipway_crds.agents.model import Agent
from slipway_crds.indexes.model import VectorIndex
from slipway_operator.core.cache import Resource
from slipway_operator.core.executor import Executor
from slipway_operator.opening import model_to_act_on
from tests.support.operator_builds import NOW, agent, index, resource

UNREADABLE = replace(resource(agent()), model=None, error="spec.architecture: unknown")


class Recorder(Executor):
    """Keeps the status that would be written."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {}

    async def write_status(self, resource: Resource, status: Mapping[str, Any]) -> None:
        self.status = dict(status)

    @property
    def conditions(self) -> dict[str, dict[str, Any]]:
        return {each["type"]: each for each in self.status["conditions"]}


async def test_a_resource_is_acted_on_and_its_status_left_alone() -> None:
    executor = Recorder()
    one, other = agent(), index()
    assert await model_to_act_on(executor, resource(one), Agent, now=NOW) is one
    assert await model_to_act_on(executor, resource(other), VectorIndex, now=NOW) is other
    assert executor.status == {}


@pytest.mark.parametrize("found", [resource(agent()), UNREADABLE], ids=["readable", "unreadable"])
async def test_a_paused_one_is_not(found: Resource) -> None:
    executor = Recorder()
    assert await model_to_act_on(executor, replace(found, paused=True), Agent, now=NOW) is None
    assert executor.conditions["Paused"]["status"] == "True"
    assert "Stalled" not in executor.conditions


async def test_one_that_cannot_be_read_is_stalled() -> None:
    executor = Recorder()
    assert await model_to_act_on(executor, UNREADABLE, Agent, now=NOW) is None
    assert executor.conditions["Stalled"]["reason"] == "InvalidSpec"
    assert "spec.architecture: unknown" in executor.conditions["Stalled"]["message"]
