"""Argo CD's health checks of our kinds, run in Lua 5.1 with what Argo CD leaves open: the base and table libraries."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa import lua51

from slipway_crds.meta import Phase
from slipway_operator.core.conditions import Statement, Trouble, conditions, paused_status, standing
from tests.harness.conftest import REPOSITORY

CONFIG = REPOSITORY / ".harness" / "gitops" / "argocd-cm.yaml"
KEYS = {
    kind: f"resource.customizations.health.slipway.dev_{kind}"
    for kind in ("Agent", "VectorIndex", "Plugin", "Workflow")
}
CLOSED = ("string", "math", "io", "os", "debug", "coroutine", "package", "require", "python")


def script(kind: str) -> str:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return str(config["data"][KEYS[kind]])


def health(kind: str, metadata: dict[str, Any], status: dict[str, Any] | None) -> tuple[str, str]:
    """Health and message of an object, as Argo CD asks for them."""
    lua = lua51.LuaRuntime(unpack_returned_tuples=False)
    for name in CLOSED:
        lua.globals()[name] = None
    thing = {"metadata": metadata} if status is None else {"metadata": metadata, "status": status}
    lua.globals()["obj"] = lua.table_from(thing, recursive=True)
    answer: Any = lua.execute(script(kind))
    return answer["status"], answer["message"]


def status(
    ready: bool, *, trouble: Trouble | None = None, progress: Statement | None = None
) -> tuple[dict[str, Any], Phase]:
    """A status as the operator writes it."""
    statements, phase = standing(Statement("Ready", ready, "R", "ready says"), trouble=trouble, progress=progress)
    return {"observedGeneration": 3, "conditions": conditions(statements, observed=[], generation=3, now=0)}, phase


TROUBLE = Trouble("Broken", "fix it")
PROGRESS = Statement("Reconciling", True, "Shifting", "moving on")


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (status(True)[0], ("Healthy", "ready says")),
        (status(False)[0], ("Progressing", "ready says")),
        (status(True, progress=PROGRESS)[0], ("Progressing", "moving on")),
        (status(False, trouble=TROUBLE)[0], ("Degraded", "fix it")),
        (status(True, trouble=TROUBLE)[0], ("Degraded", "fix it")),
        (paused_status(status(True)[0], generation=3, now=0), ("Suspended", "Nothing is changed while")),
        ({"observedGeneration": 3}, ("Progressing", "The operator has not looked")),
        ({"observedGeneration": -1}, ("Progressing", "The operator has not looked")),
        ({**status(True)[0], "observedGeneration": 2}, ("Progressing", "The operator has not looked")),
        (None, ("Progressing", "The operator has not looked")),
    ],
)
def test_health(kind: str, written: dict[str, Any] | None, expected: tuple[str, str]) -> None:
    said, message = health(kind, {"generation": 3}, written)
    assert said == expected[0]
    assert message.startswith(expected[1])


def test_kinds_have_the_same_check_and_every_kind_has_one() -> None:
    kinds = {
        yaml.safe_load(file.read_text())["spec"]["names"]["kind"]
        for file in Path(REPOSITORY / "crds" / "manifests").glob("*.yaml")
    }
    assert kinds == set(KEYS)
    assert len({script(kind) for kind in KEYS}) == 1
