"""Plans of an Agent over what a test says was observed."""

from typing import Any

from slipway_crds.agents.model import Agent
from slipway_crds.references import by_ref
from slipway_crds.resolve import resolve_agent, runtime_config
from slipway_crds.runtimeconfig import AgentConfig
from slipway_operator.agents.builders import revision_name
from slipway_operator.agents.plan import AgentView, plan_agent
from slipway_operator.core.cache import Resource, referenced
from slipway_operator.core.conditions import timestamp
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import project
from tests.support.operator_builds import NOW, SETTINGS, agent, index, resource
from tests.support.operator_objects import raw

BUILT = {"activeRevision": "r1", "conditions": [{"type": "Ready", "status": "True", "reason": "Serving"}]}
OVERDUE = timestamp(NOW - SETTINGS.rollout_deadline - 1)
RECENT = timestamp(NOW - 5)


def current(**spec: Any) -> str:
    resolved = resolve_agent(agent(**spec), by_ref([index()]))
    assert isinstance(resolved, AgentConfig)
    return revision_name(runtime_config(resolved))


def view(
    *children: dict[str, Any], index_status: dict[str, Any] | None = None, indexed: bool = True, **changes: Any
) -> AgentView:
    model: Agent = changes.pop("agent", agent())
    read: Resource = changes.pop("resource", resource(model))
    status = BUILT if index_status is None else index_status
    known = resource(index(), status=status)
    return AgentView(
        resource=read,
        agent=model,
        referenced={known.key: referenced(known if indexed else None)},
        children=tuple(project(child["kind"], child) for child in children),
        store_secret="slipway-store-1",
        **changes,
    )


def plan(observed: AgentView, settings: BuildSettings = SETTINGS) -> Plan:
    return plan_agent(observed, settings, drain_timeout=90, gateway_url="http://gateway/", now=NOW)


def condition(planned: Plan, kind: str) -> dict[str, Any]:
    conditions: Any = planned.status["conditions"]
    return next((dict(each) for each in conditions if each["type"] == kind), {})


def unavailable(since: str = RECENT, *, progressing: bool = True) -> list[dict[str, Any]]:
    return [
        {"type": "Available", "status": "False", "lastTransitionTime": since},
        {"type": "Progressing", "status": "True" if progressing else "False", "lastTransitionTime": since},
    ]


def pod(revision: str, *, waiting: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    state = {"waiting": waiting} if waiting else status.pop("state", {})
    container = {"state": state, "restartCount": status.pop("restarts", 0)}
    container["lastState"] = status.pop("last", {})
    labels = {"slipway.dev/agent": "support", "slipway.dev/revision": revision}
    return raw(
        "Pod",
        f"{revision}-pod",
        metadata={"labels": labels},
        status={"phase": "Pending", "containerStatuses": [container], **status},
    )
