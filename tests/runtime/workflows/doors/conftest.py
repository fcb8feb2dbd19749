"""A gateway and a worker with a real engine behind it, in this process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.contract import key_fingerprint
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentAccess, WorkflowKey
from slipway_runtime.gateway.workflows.table import WorkflowEntry
from slipway_runtime.identity import IdentitySigner, IdentityVerifier
from slipway_runtime.store.opening import open_database
from slipway_runtime.workflows.triggers.running import Triggers
from slipway_runtime.workflows.worker.app import Worker, create_worker_app
from tests.runtime.gateway.conftest import Front, StartFront
from tests.runtime.gateway.conftest import signer as signer
from tests.runtime.gateway.conftest import start_front as start_front
from tests.support.serving import served
from tests.support.workflows import Engine, serving_engine, workflow

KEY = WorkflowKey("demo", "test")
LONG = """
steps: [{name: greet, agentRef: {name: clerk}, ask: hi}]
output: {value: steps.greet}
"""
"""Gives what the agent gives."""


@dataclass(frozen=True)
class Doors:
    """Ways to workflows, for two people.

    Args:
        lead: key of somebody in the group `leads`.
        other: key of somebody in no group.
    """

    front: Front
    engine: Engine
    lead: str
    other: str

    def define(self, spec: str, **access: Any) -> None:
        """Make this the one workflow that there is."""
        made = workflow(spec)
        self.engine.define(made)
        entry = WorkflowEntry.read(made.spec.model_dump(mode="json", by_alias=True, exclude_none=True))
        self.front.gateway.workflows.set(KEY, entry)
        self.front.routes.restrict(KEY, AgentAccess.read({"access": access} if access else {}))


@pytest.fixture
async def engine(tmp_path: Path, sqlite_dsn: str) -> AsyncIterator[Engine]:
    database = await open_database(sqlite_dsn)
    async with serving_engine(database, f"sqlite:///{tmp_path}/engine.db") as made:
        yield made
    await database.close()


@pytest.fixture
async def doors(
    stack: AsyncExitStack, start_front: StartFront, signer: IdentitySigner, engine: Engine, tmp_path: Path
) -> Doors:
    (lead, leads), (other, nobody) = new_key("lead", groups=["leads"]), new_key("other")
    keys = tmp_path / "keys.json"
    keys.write_text(f'{{"keys": [{leads.model_dump_json()}, {nobody.model_dump_json()}]}}')
    front = await start_front(auth_mode="apikeys", api_keys_file=keys)
    verifier = IdentityVerifier([signer.public_key])
    worker = Worker(engine.engine, verifier, Triggers(engine.engine, tmp_path / "kafka"))
    url = await stack.enter_async_context(served(create_worker_app(worker)))
    front.gateway.workflows.set_workers("demo", [url], [key_fingerprint("a key")])
    return Doors(front, engine, lead, other)
