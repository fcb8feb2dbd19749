"""What the operator makes of the Workflows of a namespace, and what their status says."""

import json
from dataclasses import replace
from typing import Any

import pytest

from slipway_crds import contract
from slipway_crds.contract import key_fingerprint
from slipway_crds.meta import CustomObject
from slipway_crds.references import by_ref
from slipway_crds.workflows.model import Workflow
from slipway_crds.workflows.report import definition_digest, definition_text
from slipway_crds.workflows.triggers import PUBLISH_FOLDER
from slipway_operator.core.cache import Resource
from slipway_operator.core.drift import MERGED_LISTS
from slipway_operator.core.inputs import Owners
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import Child, project
from slipway_operator.workflows.builders import worker_secret
from slipway_operator.workflows.plan import WorkflowView, plan_workflow
from slipway_operator.workflows.reports import read_worker_report
from tests.support.operator_builds import NOW, SETTINGS, agent, index, resource
from tests.support.operator_objects import CREATED

STEPS: list[dict[str, Any]] = [{"name": "a", "agentRef": {"name": "support"}}]
KEYS_OF_ITEMS = ("uid", "mountPath", "containerPort", "port", "name")
KEYS = (key_fingerprint("new"), key_fingerprint("old"))
STALLED = "Stalled"
OBJECTS = (agent(), index())


def workflow(name: str = "report", **spec: Any) -> Workflow:
    metadata = {"name": name, "namespace": "demo"}
    return Workflow.model_validate({"metadata": metadata, "spec": {"steps": STEPS, **spec}})


def report_of(flow: Workflow, **changes: Any) -> dict[str, Any]:
    return {"interpreter": 1, "capacity": 10, "digest": definition_digest(definition_text(flow)), **changes}


def planned(
    flow: Workflow | None = None,
    report: dict[str, Any] | None = None,
    *,
    objects: tuple[CustomObject, ...] = OBJECTS,
    others: tuple[Resource, ...] = (),
    settings: Any = SETTINGS,
    **view: Any,
) -> Plan:
    flow = flow or workflow()
    own = resource(flow, uid=f"uid-{flow.metadata.name}")
    given = {"children": (), "report": read_worker_report(report) if report else None, **view}
    made = WorkflowView(
        resource=own,
        workflow=flow,
        siblings=[own, *others],
        objects=by_ref(objects),
        store_secret="slipway-store-x",
        store_schema="ns_1",
        fingerprints=KEYS,
        **given,
    )
    return plan_workflow(made, settings, gateway_url="http://gateway/", now=NOW)


def owned(value: Any) -> Any:
    """What `managedFields` has of a manifest: lists as a whole where the API server does not merge them."""
    if not isinstance(value, dict):
        return {}
    return {f"f:{key}": items(below) if key in MERGED_LISTS else owned(below) for key, below in value.items()}


def items(merged: list[Any]) -> Any:
    """Of a list whose items have keys."""
    found = {}
    for item in merged:
        key = next(({key: item[key]} for key in KEYS_OF_ITEMS if key in item), {})
        found[f"k:{json.dumps(key)}"] = owned(item)
    return found


def stored(manifest: Any, **status: Any) -> Child:
    """What was applied, as the API server has it."""
    added = {"uid": f"uid-{manifest['kind']}", "resourceVersion": "1", "generation": 1, "creationTimestamp": CREATED}
    entry = {"manager": "slipway-operator", "operation": "Apply", "fieldsV1": owned(manifest)}
    metadata = {**manifest["metadata"], **added, "managedFields": [entry]}
    return project(manifest["kind"], {**manifest, "metadata": metadata, "status": status})


AVAILABLE = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


def children(plan: Plan, **status: Any) -> tuple[Child, ...]:
    """What a plan applied, with workers in this state."""
    return tuple(
        stored(each.manifest, **({**AVAILABLE, **status} if each.manifest["kind"] == "Deployment" else {}))
        for each in plan.apply
    )


def manifests_of(plan: Plan) -> dict[str, Any]:
    return {each.manifest["kind"]: each.manifest for each in plan.apply}


def ready(plan: Plan) -> tuple[str, str]:
    status: Any = plan.status
    (found,) = [each for each in status["conditions"] if each["type"] == "Ready"]
    return found["status"], found["reason"]


def serving(flow: Workflow, **report: Any) -> Plan:
    """The plan for a workflow whose worker is up."""
    return planned(flow, report_of(flow, **report), children=children(planned(flow)))


def test_one_set_of_workers_for_all_workflows_of_the_namespace() -> None:
    second = resource(workflow("second"), uid="uid-second")
    made = manifests_of(planned(others=(second,)))
    assert sorted(made) == [
        *("ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount")
    ]
    for manifest in made.values():
        owners = manifest["metadata"]["ownerReferences"]
        assert [(each["name"], each["uid"], each["controller"]) for each in owners] == [
            ("report", "uid-report", False),
            ("second", "uid-second", False),
        ], "it goes with the last of them"
    assert sorted(made["ConfigMap"]["data"]) == ["report.json", "second.json"]
    assert Workflow.model_validate_json(made["ConfigMap"]["data"]["report.json"]) == workflow()


def test_a_worker_has_no_more_rights_than_it_needs() -> None:
    made = manifests_of(planned())
    pod = made["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["args"] == ["worker"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["SLIPWAY_ENGINE_SCHEMA"] == "ns_1_wf"
    ingress, egress = (made["NetworkPolicy"]["spec"][each] for each in ("ingress", "egress"))
    sources = [peer["podSelector"]["matchLabels"]["slipway.dev/component"] for peer in ingress[0]["from"]]
    assert sources == ["gateway", "operator"]
    ports = {port["port"] for rule in egress for port in rule["ports"]}
    assert ports == {53, 5432, contract.HTTP_PORT}


def test_the_key_is_in_a_secret_and_its_fingerprint_where_gateways_look() -> None:
    made = manifests_of(planned())
    owners = Owners(kind="Workflow", namespace="demo", uids={"report": "uid-report"})
    secret: Any = worker_secret(owners, "uid-cm", "new")
    volumes = {each["name"]: each for each in made["Deployment"]["spec"]["template"]["spec"]["volumes"]}
    assert volumes["key"]["secret"]["secretName"] == secret["metadata"]["name"]
    assert made["Service"]["metadata"]["labels"][contract.WORKER_KEY_LABEL] == KEYS[0]
    assert "new" not in str(made)
    assert secret["stringData"] == {"key": "new"}


def test_the_key_before_counts_while_pods_have_it() -> None:
    first = planned()
    rolling = planned(children=children(first, replicas=2))
    labels = manifests_of(rolling)["Service"]["metadata"]["labels"]
    assert labels[f"{contract.WORKER_KEY_LABEL}-former"] == KEYS[1]
    settled = planned(children=children(first))
    assert "Service" not in manifests_of(settled) or KEYS[1] not in str(manifests_of(settled)["Service"])


def test_workers_speak_tls_where_hosts_do() -> None:
    made = manifests_of(planned(settings=replace(SETTINGS, host_tls_secret="slipway-host-tls")))
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert "slipway-host-tls" in str(pod["volumes"])
    assert {each["port"] for each in made["Service"]["spec"]["ports"]} == {contract.HTTP_PORT, contract.TLS_PORT}
    assert [each["ports"][0]["port"] for each in made["NetworkPolicy"]["spec"]["ingress"][:2]] == [8080, 8443]


KAFKA = {
    "brokers": ["kafka:9093"],
    "topic": "orders",
    "tls": {"caBundleRef": {"name": "authorities", "key": "ca"}},
    "sasl": {"username": "u", "passwordRef": {"name": "login", "key": "pw"}},
}


@pytest.mark.proves("Workflow.triggers[].kafka.tls.*", "Workflow.triggers[].kafka.sasl.passwordRef.*")
@pytest.mark.proves("Workflow.publish.kafka.tls.*", "Workflow.publish.kafka.sasl.passwordRef.*")
def test_secrets_of_topics_are_mounted_and_their_brokers_can_be_reached() -> None:
    flow = workflow(triggers=[{"name": "orders", "kafka": KAFKA}], publish={"kafka": KAFKA})
    made = manifests_of(planned(flow))
    (kafka,) = [each for each in made["Deployment"]["spec"]["template"]["spec"]["volumes"] if each["name"] == "kafka"]
    of_trigger, of_publishing = kafka["projected"]["sources"][:2], kafka["projected"]["sources"][2:]
    assert [each["items"][0]["path"] for source in of_publishing for each in source.values()] == [
        f"demo/report/{PUBLISH_FOLDER}/{file}" for file in ("ca.crt", "password")
    ]
    assert of_trigger == [
        {
            "configMap": {
                "name": "authorities",
                "optional": True,
                "items": [{"key": "ca", "path": "demo/report/orders/ca.crt"}],
            }
        },
        {
            "secret": {
                "name": "login",
                "optional": True,
                "items": [{"key": "pw", "path": "demo/report/orders/password"}],
            }
        },
    ]
    assert 9093 in {port["port"] for rule in made["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]}


@pytest.mark.proves("Workflow.steps[].agentRef.name", "Workflow.steps[].search.indexRef.name")
@pytest.mark.parametrize(
    ("spec", "reason", "phase"),
    [
        ({"steps": [{"name": "a", "agentRef": {"name": "missing"}}]}, "WaitingForAgent", "Pending"),
        ({"steps": [{"name": "a", "requires": ["flying"]}]}, "WaitingForCapability", "Pending"),
        (
            {"steps": [{"name": "a", "search": {"indexRef": {"name": "missing"}, "query": "x"}}]},
            "WaitingForIndex",
            "Pending",
        ),
        (
            {"steps": [{**STEPS[0], "needs": ["b"]}, {**STEPS[0], "name": "b", "needs": ["a"]}]},
            "CyclicSteps",
            "Stalled",
        ),
        ({"steps": [{**STEPS[0], "if": "1 +"}]}, "InvalidExpression", STALLED),
    ],
)
def test_what_cannot_be_resolved(spec: dict[str, Any], reason: str, phase: str) -> None:
    plan = planned(workflow(**spec))
    assert ready(plan) == ("False", reason)
    assert plan.status["phase"] == phase
    assert plan.apply == (), "there is nothing for a worker to do"


@pytest.mark.proves("Workflow.steps[].requires")
def test_a_capability_is_found_in_what_an_agent_says_and_in_its_architecture() -> None:
    flow = workflow(steps=[{"name": "a", "requires": ["complex_workflow", "state_management"]}])
    assert ready(serving(flow)) == ("True", "Serving")
    own = (agent(capabilities=["refunds"]), index())
    assert ready(planned(flow, objects=own)) == ("False", "WaitingForCapability")


def test_a_wrong_edit_leaves_the_definition_that_workers_have() -> None:
    good = workflow()
    before = children(planned(good))
    bad = planned(workflow(steps=[{**STEPS[0], "if": "1 +"}]), report_of(good), children=before)
    assert ready(bad) == ("False", "InvalidExpression")
    assert "ConfigMap" not in manifests_of(bad)
    assert not bad.delete


def test_a_paused_sibling_keeps_its_definition_and_one_that_goes_loses_it() -> None:
    second = resource(workflow("second"), uid="uid-second")
    before = children(planned(others=(second,)))
    paused = replace(second, paused=True, model=workflow("second", description="Edited."))
    assert "ConfigMap" not in manifests_of(planned(others=(paused,), children=before))
    going = replace(second, deleting_since="now")
    data = manifests_of(planned(others=(going,), children=before))["ConfigMap"]["data"]
    assert sorted(data) == ["report.json"]


def test_what_has_no_room_is_left_out_and_says_so() -> None:
    long = [{**STEPS[0], "name": f"s{number}", "ask": "x" * 8000} for number in range(20)]
    first, second = workflow("first", steps=long), workflow("a-later-one", steps=long)
    before = children(planned(first))
    plan = planned(second, others=(resource(first, uid="uid-first"),), children=before)
    assert ready(plan) == ("False", "DefinitionsTooLarge")
    assert plan.status["phase"] == "Stalled"
    assert "ConfigMap" not in {each["kind"] for each in manifests_of(plan).values() if "a-later-one.json" in str(each)}


def test_ready_comes_with_the_worker_and_the_definition() -> None:
    flow = workflow()
    assert ready(planned(flow)) == ("False", "WaitingForWorker")
    up = children(planned(flow))
    assert ready(planned(flow, children=up)) == ("False", "WaitingForWorker")
    assert ready(planned(flow, report_of(flow, digest="old"), children=up)) == ("False", "DefinitionNotLoaded")
    broken = planned(flow, report_of(flow, problem="the topic orders is not there"), children=up)
    assert ready(broken) == ("False", "TriggerFailed")
    plan = serving(flow)
    assert ready(plan) == ("True", "Serving")
    assert plan.status["url"] == "http://gateway/workflows/demo/report"
    assert ready(planned(flow, store_problem="Postgres is down.")) == ("False", "WaitingForStore")


def test_the_status_says_how_runs_do() -> None:
    run = {"id": "a" * 32, "state": "succeeded", "started": "2026-11-30T10:00:00Z"}
    plan = serving(
        workflow(), last_runs=[run], success_rate=0.925, next_schedule="2026-12-01T06:00:00Z", needs_attention=2
    )
    told = {name: plan.status[name] for name in ("lastRuns", "successRate", "nextSchedule", "needsAttention")}
    assert told == {
        "lastRuns": [run],
        "successRate": "0.93",
        "nextSchedule": "2026-12-01T06:00:00Z",
        "needsAttention": 2,
    }
    status: Any = plan.status
    assert [each["type"] for each in status["conditions"]] == ["Ready", "Resolved", "NeedsAttention"]


@pytest.mark.parametrize(
    "lie",
    [
        {"last_runs": [{"id": "x" * 10_000, "state": "y"}]},
        {"last_runs": [{"id": "x", "state": "y"}] * 1000},
        {"success_rate": 7},
        {"next_schedule": "x" * 1000},
        {"queued": -1},
        {"capacity": 0},
        {"problem": "x" * 5000},
        {"interpreter": "one"},
    ],
)
def test_a_worker_that_lies_says_nothing(lie: dict[str, Any]) -> None:
    assert read_worker_report(report_of(workflow(), **lie)) is None


def test_a_second_look_changes_nothing_but_what_changed() -> None:
    flow = workflow()
    assert serving(flow).apply == ()
    edited = planned(workflow(description="Edited."), children=children(planned(flow)))
    assert sorted(manifests_of(edited)) == ["ConfigMap"], "another definition rolls nothing"


def earlier(flow: Workflow, unfinished: dict[str, int]) -> Plan:
    """A plan where workers of an interpreter 0 are there besides today's."""
    up = children(planned(flow))
    old: Any = manifests_of(planned(flow))["Deployment"]
    old = {**old, "metadata": {**old["metadata"], "name": contract.worker_deployment(0)}}
    return planned(flow, report_of(flow, unfinished=unfinished), children=(*up, stored(old, **AVAILABLE)))


def test_workers_of_an_earlier_interpreter_stay_until_their_runs_have_ended() -> None:
    flow = workflow()
    assert not earlier(flow, {"0": 2, "1": 5}).delete
    assert [each.child.name for each in earlier(flow, {"0": 0, "1": 5}).delete] == ["slipway-worker-0"]
    assert [each.child.name for each in earlier(flow, {}).delete] == ["slipway-worker-0"]


def test_nothing_goes_while_nobody_says_what_is_unfinished() -> None:
    flow = workflow()
    up = children(planned(flow))
    old: Any = manifests_of(planned(flow))["Deployment"]
    old = {**old, "metadata": {**old["metadata"], "name": contract.worker_deployment(0)}}
    assert not planned(flow, children=(*up, stored(old, **AVAILABLE))).delete


def test_policies_that_nobody_wants_go() -> None:
    flow = workflow()
    plan = planned(flow, children=children(planned(flow)), settings=replace(SETTINGS, network_policies=False))
    assert [each.child.kind for each in plan.delete] == ["NetworkPolicy"]


@pytest.mark.parametrize(
    ("replicas", "queued", "running", "desired"),
    [
        (1, 0, 0, None),
        (1, 0, 10, None),
        (1, 5, 10, 2),
        (1, 100, 10, 4),
        (4, 100, 40, None),
        (3, 0, 5, 2),
        (3, 0, 15, None),
        (2, 1, 5, None),
    ],
)
def test_workers_are_as_many_as_waiting_runs_need(
    replicas: int, queued: int, running: int, desired: int | None
) -> None:
    flow = workflow()
    first = planned(flow)
    up = tuple(
        replace(each, detail=replace(each.detail, replicas=replicas)) if each.kind == "Deployment" else each  # type: ignore[type-var]
        for each in children(first)
    )
    plan = planned(flow, report_of(flow, queued=queued, running=running), children=up)
    assert [each.replicas for each in plan.scale] == ([] if desired is None else [desired])
