"""What an Agent needs done, by table: pure plans over what was observed."""

from dataclasses import replace
from typing import Any

import pytest

from slipway_crds.agents.model import Agent
from slipway_crds.references import Ref, ref_to
from slipway_operator.core.cache import Referenced, referenced
from slipway_operator.core.conditions import timestamp
from slipway_operator.core.plan import Plan
from slipway_operator.core.projections import Child, project
from slipway_operator.core.readiness import ReportedReadiness
from tests.support.agent_plans import BUILT, OVERDUE, RECENT, condition, current, plan, pod, unavailable, view
from tests.support.operator_builds import NOW, SETTINGS, agent, resource
from tests.support.operator_objects import deployment, raw


def test_nothing_there_means_everything_is_applied() -> None:
    planned = plan(view())
    assert sorted({each.manifest["kind"] for each in planned.apply}) == [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ]
    assert not any(each.adopt for each in planned.apply), "a stranger's object of the name is left alone"
    assert (condition(planned, "Ready")["reason"], planned.status["phase"]) == ("WaitingForPods", "Progressing")


def test_policies_go_when_the_chart_wants_none() -> None:
    policy = raw("NetworkPolicy", "support-agent")
    strangers = raw("NetworkPolicy", "other", metadata={"ownerReferences": []})
    assert plan(view(policy, strangers)).delete == ()
    planned = plan(view(policy, strangers), replace(SETTINGS, network_policies=False))
    assert [each.child.name for each in planned.delete] == ["support-agent"]
    assert "NetworkPolicy" not in {each.manifest["kind"] for each in planned.apply}


def test_an_index_that_is_missing_lost_or_was_never_built_is_waited_for() -> None:
    missing = plan(view(indexed=False))
    assert condition(missing, "Ready")["reason"] == "WaitingForIndex"
    assert condition(missing, "Resolved")["status"] == "False"
    assert missing.apply == ()
    unbuilt = plan(view(deployment(current()), index_status={}))
    assert condition(unbuilt, "Ready")["reason"] == "WaitingForIndex"
    assert unbuilt.apply, "its objects are made meanwhile"
    lost = {"conditions": [{"type": "Ready", "status": "False", "reason": "IndexLost", "message": "Vectors are gone."}]}
    for children in ([deployment(current())], [deployment(current(), available=0, conditions=unavailable())]):
        emptied = plan(view(*children, index_status={**BUILT, **lost}))
        assert condition(emptied, "Ready")["reason"] == "IndexLost"
        assert condition(emptied, "Ready")["message"] == "VectorIndex handbook: Vectors are gone."
        assert (condition(emptied, "Stalled"), emptied.status["phase"]) == ({}, "Pending")
    # Pods are not ready before their index is built, so that is what they wait for too.
    unready = plan(view(deployment(current(), available=0, conditions=unavailable()), index_status={}))
    assert condition(unready, "Ready")["reason"] == "WaitingForIndex"
    for planned in (missing, unbuilt, unready):
        assert planned.status["phase"] == "Pending"
        assert condition(planned, "Stalled") == {}


@pytest.mark.parametrize(
    ("deployed", "more", "ready", "reason", "phase"),
    [
        ({}, {}, "True", "Serving", "Ready"),
        ({"available": 0, "conditions": unavailable()}, {}, "False", "WaitingForPods", "Progressing"),
        ({"available": 0, "conditions": unavailable(OVERDUE)}, {}, "False", "WaitingForPods", "Progressing"),
        (
            {"available": 0, "conditions": unavailable()},
            {"store_problem": "Postgres is unavailable"},
            "False",
            "WaitingForStore",
            "Pending",
        ),
        ({"replicas": 0}, {}, "False", "ScaledToZero", "Pending"),
        ({"replicas": 2, "available": 1}, {}, "True", "Serving", "Progressing"),
        ({"existing": 2, "updated": 1}, {}, "True", "Serving", "Progressing"),
        ({}, {"store_problem": "Postgres is unavailable"}, "True", "Serving", "Ready"),
    ],
)
def test_what_the_status_says(
    deployed: dict[str, Any], more: dict[str, Any], ready: str, reason: str, phase: str
) -> None:
    planned = plan(view(deployment(current(), **deployed), **more))
    found = condition(planned, "Ready")
    assert (found["status"], found["reason"], planned.status["phase"]) == (ready, reason, phase)
    assert condition(planned, "Stalled") == {}


@pytest.mark.parametrize(
    ("trouble", "reason", "words"),
    [
        ({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}, "ImagePullFailed", "no such image"),
        ({"waiting": {"reason": "ErrImageNeverPull"}}, "ImagePullFailed", "ErrImageNeverPull"),
        (
            {
                "waiting": {"reason": "CrashLoopBackOff"},
                "restarts": 4,
                "last": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "message": "out\nof memory\n"}},
            },
            "PodCrashing",
            "OOMKilled, exit code 137: out / of memory",
        ),
        (
            {"waiting": {"reason": "CreateContainerConfigError", "message": "no key dsn"}},
            "PodCannotStart",
            "no key dsn",
        ),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]},
            "PodUnschedulable",
            "0/1 nodes",
        ),
    ],
)
def test_pods_that_cannot_run_are_stalled_once_the_deadline_has_passed(
    trouble: dict[str, Any], reason: str, words: str
) -> None:
    name = current()

    def at(since: str) -> Plan:
        deployed = deployment(name, available=0, conditions=unavailable(since))
        return plan(view(deployed, pod(name, **dict(trouble))))

    early = at(RECENT)
    assert condition(early, "Stalled") == {}
    assert early.wake_after is not None
    late = at(OVERDUE)
    assert condition(late, "Stalled")["reason"] == reason
    assert words in condition(late, "Stalled")["message"]
    assert condition(late, "Reconciling") == {}
    assert late.status["phase"] == "Stalled"


def test_an_upgrade_whose_pods_cannot_run_is_stalled_while_the_old_ones_serve() -> None:
    name = current()
    progressing = {"type": "Progressing", "status": "False", "lastTransitionTime": OVERDUE}
    available = {"type": "Available", "status": "True", "lastTransitionTime": OVERDUE}
    rolling = deployment(name, existing=2, updated=1, available=1, conditions=[available, progressing])
    planned = plan(view(rolling, pod(name, waiting={"reason": "CrashLoopBackOff"}, restarts=3)))
    assert condition(planned, "Ready")["status"] == "True"
    assert condition(planned, "Stalled")["reason"] == "PodCrashing"
    assert planned.status["phase"] == "Degraded"


def test_pods_that_may_not_be_made_are_stalled_with_the_refusal() -> None:
    refusal = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota", "lastTransitionTime": OVERDUE}
    planned = plan(view(deployment(current(), available=0, conditions=[*unavailable(OVERDUE), refusal])))
    assert condition(planned, "Stalled")["reason"] == "PodsRefused"
    assert "exceeded quota" in condition(planned, "Stalled")["message"]


def test_a_pod_that_only_waits_is_nobodys_trouble() -> None:
    name = current()
    deployed = deployment(name, available=0, conditions=unavailable(OVERDUE, progressing=False))
    planned = plan(view(deployed, pod(name, phase="Running"), readiness=ReportedReadiness("the store is unavailable")))
    assert condition(planned, "Stalled") == {}
    assert "the store is unavailable" in condition(planned, "Ready")["message"]


@pytest.mark.parametrize(("started", "stalled"), [(-60, ""), (1, "PodCrashing")])
def test_a_pod_that_was_killed_once_and_has_served_since_only_waits(started: int, stalled: str) -> None:
    """Not so one that was never ready since it was started again."""
    name, unready = current(), NOW - SETTINGS.rollout_deadline - 1
    deployed = deployment(name, available=0, conditions=unavailable(OVERDUE, progressing=False))
    killed = pod(
        name,
        phase="Running",
        restarts=1,
        state={"running": {"startedAt": timestamp(unready + started)}},
        last={"terminated": {"reason": "Error", "exitCode": 137}},
        conditions=[{"type": "Ready", "status": "False", "lastTransitionTime": timestamp(unready)}],
    )
    planned = plan(view(deployed, killed, readiness=ReportedReadiness("the store is unavailable")))
    assert condition(planned, "Stalled").get("reason", "") == stalled


GPT: dict[str, Any] = {
    "name": "gpt",
    "provider": "openai",
    "model": "gpt-5-mini",
    "apiKeyRef": {"name": "keys", "key": "OPENAI_API_KEY"},
}
OWN: dict[str, Any] = {
    "name": "own",
    "provider": "openai-compatible",
    "model": "qwen",
    "baseURL": "http://llm.models.svc/v1",
}
NO_KEY = "model gpt: there is no key"


def test_a_model_that_cannot_be_used_is_in_the_status_of_an_agent_that_serves() -> None:
    with_models = agent(models=[GPT])
    name = current(models=[GPT])
    planned = plan(view(deployment(name), agent=with_models, readiness=ReportedReadiness("", NO_KEY)))
    assert condition(planned, "Ready")["status"] == "True"
    limited = condition(planned, "ModelsLimited")
    assert (limited["status"], limited["reason"], limited["message"]) == ("True", "ModelUnusable", NO_KEY)
    assert planned.wake_after is not None
    assert planned.wake_after < 30, "so that the status follows within a minute"
    well = plan(view(deployment(name), agent=with_models))
    assert condition(well, "ModelsLimited") == {}
    assert well.wake_after == planned.wake_after
    assert plan(view(deployment(current()))).wake_after is None, "an agent without models is left alone"


def test_answers_that_are_not_written_are_in_the_status_of_an_agent_that_serves() -> None:
    spec = {"answersTo": {"kafka": {"brokers": ["kafka:9092"], "topic": "answers"}}}
    deployed = deployment(current(**spec))
    said = "answers of demo/support are not written to answers: no broker can be reached"
    planned = plan(view(deployed, agent=agent(**spec), readiness=ReportedReadiness(answers=said)))
    limited = condition(planned, "AnswersLimited")
    assert (limited["status"], limited["reason"], limited["message"]) == ("True", "AnswersNotWritten", said)
    assert condition(planned, "Ready")["status"] == "True"
    well = plan(view(deployed, agent=agent(**spec)))
    assert condition(well, "AnswersLimited") == {}
    assert well.wake_after is not None
    assert well.wake_after < 30, "so that the status follows within a minute"


def test_an_agent_of_which_no_model_can_be_used_says_so() -> None:
    deployed = deployment(current(models=[GPT]), available=0, conditions=unavailable())
    planned = plan(view(deployed, agent=agent(models=[GPT]), readiness=ReportedReadiness(f"x; {NO_KEY}", NO_KEY)))
    ready = condition(planned, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ModelsUnusable")
    assert NO_KEY in ready["message"]
    waiting = plan(view(deployed, agent=agent(models=[GPT]), readiness=ReportedReadiness("the store", NO_KEY)))
    assert condition(waiting, "Ready")["reason"] == "WaitingForPods", "one model is enough"


def test_a_model_behind_a_closed_network_is_in_the_status() -> None:
    spec = {"models": [OWN]}
    planned = plan(view(deployment(current(**spec)), agent=agent(**spec)))
    limited = condition(planned, "ModelsLimited")
    assert (limited["reason"], "namespace models" in limited["message"]) == ("EgressMissing", True)
    opened = {**spec, "egress": [{"namespace": "models", "ports": [8000]}]}
    assert condition(plan(view(deployment(current(**spec)), agent=agent(**opened))), "ModelsLimited") == {}
    unenforced = replace(SETTINGS, network_policies=False)
    assert condition(plan(view(deployment(current(**spec)), agent=agent(**spec)), unenforced), "ModelsLimited") == {}


def test_a_revision_that_retires_keeps_the_keys_of_its_models() -> None:
    """The spec names other Secrets by then, and pods of the old revision may still be started."""
    old_agent, new_agent = agent(models=[GPT]), agent(models=[OWN])
    first = plan(view(agent=old_agent))
    made: dict[str, Any] = {
        each.manifest["metadata"]["name"]: each.manifest for each in first.apply if each.manifest["kind"] == "ConfigMap"
    }
    old = current(models=[GPT])
    children = [
        deployment(old),
        *(raw("ConfigMap", name, data=made[name]["data"]) for name in (old, f"{old}-bindings")),
    ]
    planned = plan(view(*children, agent=new_agent))
    deployments: dict[str, Any] = {
        each.manifest["metadata"]["name"]: each.manifest
        for each in planned.apply
        if each.manifest["kind"] == "Deployment"
    }
    volumes = {
        name: {each["name"] for each in made["spec"]["template"]["spec"]["volumes"]}
        for name, made in deployments.items()
    }
    assert volumes[old] >= {"bindings", "model-keys"}
    assert "model-keys" not in volumes[current(models=[OWN])]
    assert not planned.delete


def test_bindings_go_with_their_revision() -> None:
    gone = [raw("ConfigMap", f"support-0000000000{suffix}") for suffix in ("", "-bindings")]
    planned = plan(view(deployment(current()), *gone))
    assert {each.child.name for each in planned.delete} == {"support-0000000000", "support-0000000000-bindings"}


def test_a_roll_of_pods_that_serve_waits_for_its_turn() -> None:
    planned = plan(view(deployment(current())))
    (roll,) = [each for each in planned.apply if each.manifest["kind"] == "Deployment"]
    assert roll.gated
    idle = plan(view(deployment(current(), available=0, conditions=unavailable())))
    (roll,) = [each for each in idle.apply if each.manifest["kind"] == "Deployment"]
    assert not roll.gated, "nothing is lost by replacing pods that do not serve"


def test_an_old_revision_without_its_configuration_is_left_as_it_is() -> None:
    old = deployment("support-0000000000")
    planned = plan(view(old, deployment(current(), state="Candidate", available=0, conditions=unavailable())))
    touched = {each.manifest["metadata"]["name"] for each in planned.apply}
    assert "support-0000000000" not in touched
    assert planned.delete == ()
    revisions: Any = planned.status["revisions"]
    assert revisions[0] == {"name": "support-0000000000", "weight": 100, "state": "Serving"}


def test_nothing_of_another_owner_is_deleted() -> None:
    stranger = deployment("support-0000000000", state="Candidate")
    stranger["metadata"]["ownerReferences"] = [{"uid": "uid-of-another", "controller": True}]
    planned = plan(view(deployment(current()), stranger))
    assert planned.delete == ()


def test_a_child_of_an_agent_knows_whose_it_is() -> None:
    child: Child = project("Deployment", deployment("support-1"))
    assert child.owner == ("Agent", "support")


def team(*members: str) -> Agent:
    refs = [{"agentRef": {"name": member}} for member in members]
    return agent(architecture="orchestrator", knowledge=[], members=refs)


def known(*agents: Agent) -> dict[Ref, Referenced]:
    return {ref_to(each): referenced(resource(each)) for each in agents}


def test_a_member_may_come_and_go_but_must_exist_and_must_not_lead_back() -> None:
    hr = Agent.model_validate({"metadata": {"name": "hr", "namespace": "demo"}, "spec": agent().spec})
    lead = team("hr")
    unready = plan(replace(view(agent=lead), referenced=known(hr)))
    assert condition(unready, "Resolved")["status"] == "True"
    assert unready.apply
    missing = plan(replace(view(agent=lead), referenced={ref_to(hr): referenced(None)}))
    assert condition(missing, "Ready")["reason"] == "WaitingForAgent"
    assert (missing.status["phase"], missing.apply) == ("Pending", ())
    back = Agent.model_validate({"metadata": {"name": "hr", "namespace": "demo"}, "spec": team("support").spec})
    cyclic = plan(replace(view(agent=lead), referenced=known(back, lead)))
    assert (condition(cyclic, "Stalled")["reason"], cyclic.apply) == ("CyclicMembers", ())
    assert "support asks hr asks support" in condition(cyclic, "Stalled")["message"]
    other = referenced(resource(hr)).decisive
    assert other != referenced(resource(back)).decisive, "an edit of a member is looked at by those who ask it"
