"""What is kept of a watched object is kept by the cache alone."""

from collections.abc import Sized
from types import ModuleType
from typing import Any

from slipway_operator.core import drift, projections
from slipway_operator.core.drift import FIELD_MANAGER
from slipway_operator.core.projections import project
from tests.support.operator_objects import raw


def of_owner(number: int) -> dict[str, Any]:
    """A Service as we apply it: its managed fields name its owner's uid."""
    fields: dict[str, Any] = {"f:metadata": {"f:ownerReferences": {f'k:{{"uid":"uid-{number}"}}': {}}}}
    managers = [{"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}]
    return raw("Service", f"s-{number}", metadata={"managedFields": managers})


def sizes(module: ModuleType) -> dict[str, int]:
    return {name: len(value) for name, value in vars(module).items() if isinstance(value, Sized)}


def test_owners_that_come_and_go_leave_nothing_in_the_modules() -> None:
    modules = (projections, drift)
    before = [sizes(module) for module in modules]
    owned = {project("Service", of_owner(number)).owned for number in range(1000)}
    assert len(owned) == 1000, "each owner's uid is in its children's fields"
    assert [sizes(module) for module in modules] == before
