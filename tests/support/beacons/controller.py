"""Makes Beacons real, and the operator that knows them: `python -c "from ... import main; main()"`."""

import time

from slipway_crds.registry import OWNER_KINDS
from slipway_operator import main as operator
from slipway_operator.controllers import ControllerDependencies, KindController, RunningController
from slipway_operator.core.cache import ResourceKey
from slipway_operator.core.conditions import Statement, conditions, standing
from slipway_operator.core.inputs import child, labels
from slipway_operator.core.objects import CONFIG_MAP
from slipway_operator.core.plan import Delete, Plan, changes, observed_conditions, owner_of
from slipway_operator.opening import model_to_act_on
from tests.support.beacons.kind import BEACON, index_of
from tests.support.beacons.model import Beacon


class BeaconController:
    """One ConfigMap for each Beacon."""

    def __init__(self, dependencies: ControllerDependencies) -> None:
        self._cache = dependencies.cache
        self._executor = dependencies.executor

    async def reconcile(self, key: ResourceKey) -> float | None:
        """Look once."""
        resource = self._cache.resource(key)
        if resource is None or resource.deleting_since:
            return None
        now = time.time()
        beacon = await model_to_act_on(self._executor, resource, Beacon, now=now)
        if beacon is None:
            return None
        index = self._cache.look(index_of(beacon))
        name = f"{key.name}-{beacon.spec.colour}"
        config_map = child(CONFIG_MAP, name, owner_of(resource), labels("beacon", {BEACON.label: key.name}))
        config_map["data"] = {"ready": str(index.ready), "revision": str(index.facts.get("activeRevision"))}
        children = self._cache.children(key)
        ready = Statement("Ready", index.ready, "IndexReady" if index.ready else "WaitingForIndex", index.message)
        statements, phase = standing(ready, trouble=None, progress=None)
        seen = observed_conditions(resource)
        plan = Plan(
            apply=tuple(changes([config_map], {(each.kind, each.name): each for each in children}, resource.uid)),
            delete=tuple(Delete(child=each) for each in children if each.name != name and not each.deleting),
            status={
                "observedGeneration": resource.generation,
                "phase": phase,
                "conditions": conditions(statements, observed=seen, generation=resource.generation, now=now),
            },
        )
        return await self._executor.execute(resource, plan, now=now)


ROW = KindController(BEACON, lambda dependencies: RunningController(BeaconController(dependencies).reconcile))


def main() -> None:
    """The operator with one row more."""
    OWNER_KINDS[BEACON.name] = BEACON
    operator.ROWS.append(ROW)
    operator.main()
